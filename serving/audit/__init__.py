"""Who looked at whom and who changed what: written before the answer, hash-chained, never changed."""
