"""Learning from any flat table: columns, a linear part, a boosted part, how they are blended, a search."""
