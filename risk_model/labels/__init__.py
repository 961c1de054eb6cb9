"""What became of a cohort: who left within the horizon, who stayed, and of whom that cannot be said."""

from risk_model.labels.build import label

__all__ = ["label"]
