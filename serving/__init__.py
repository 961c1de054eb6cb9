"""Nightly scoring, publication and the lists people read."""
