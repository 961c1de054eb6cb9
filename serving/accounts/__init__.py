"""Accounts of people and machines: passwords, sessions, tokens. Functions on a connection; no HTTP."""
