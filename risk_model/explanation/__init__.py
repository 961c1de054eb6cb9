"""From contributions to sentences a teacher reads: risk in words, values with units, reasons."""
