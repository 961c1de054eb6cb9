"""The domain: registers, time, cohort, features, labels, risk, reasons (see README.md beside this)."""
