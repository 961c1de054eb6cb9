"""What ``exam_terms`` adds up, and the bits that say what an exam was."""

COLUMNS = ("sat", "missed", "failed", "sat_core", "failed_core", "hundredths", "n", "n_core", "z", "z_core")
"""Exams sat, missed and failed, those of the core subjects, sum of scores; z-scores, their number and sum."""

SAT, MISSED, FAILED, CORE = 1, 2, 4, 8
"""Bits of ``what``."""
