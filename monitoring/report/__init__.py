"""The one report a person reads."""
