"""Evidently's report, in a process of its own."""
