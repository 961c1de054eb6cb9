"""Who was where on which school day, and which class kept its register: the ground of features and labels."""

from risk_model.timeline.build import build_diaries, build_registers, build_timeline

__all__ = ["build_diaries", "build_registers", "build_timeline"]
