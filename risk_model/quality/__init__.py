"""May tonight's list be trusted? Pure rules; serving holds schools back by them, monitoring reports them.

The rules cut by ``recorded_on`` like everything else: they read what the snapshot was made from. A school
that never sends attendance, or results, is not held back for it. Every rule has its bounds in ``[quality]``
of the settings, each with its reason, and says what is wrong and what to do next.
"""

from risk_model.quality.churn import Turnover, judge_churn
from risk_model.quality.findings import Finding, HeldBack, two_open_spells
from risk_model.quality.registers import judge_registers, registers_kept
from risk_model.quality.size import Listed, enrolment_kept, judge_enrolment, judge_size

__all__ = [
    "Finding",
    "HeldBack",
    "Listed",
    "Turnover",
    "enrolment_kept",
    "judge_churn",
    "judge_enrolment",
    "judge_registers",
    "judge_size",
    "registers_kept",
    "two_open_spells",
]
