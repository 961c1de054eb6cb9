"""Where checked registers lie: versioned, encrypted, readable as they were known on any day."""
