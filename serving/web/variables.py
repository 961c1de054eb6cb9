"""Variables by which ``serve`` tells its workers where they work; those of settings they read themselves."""

HOME = "DROPOUT_RISK_HOME"
CONFIG = "DROPOUT_RISK_CONFIG"
COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus-client lets several workers count together."""
