"""Marks of everybody by month, and exams by half-year, kept so that a night reads no history twice.

The state is derived, never a source: it is made from one snapshot of the lake, says which, is brought
forward by the lake's change feed and made anew whenever anything stands in the way. Whoever asks for
marks or exams gets the same, to the last bit, from the state or from the lake.

It is a DuckLake of its own (``data/state``, encrypted). Its unit of change is a file: one county's
pupils in one calendar month, or half-year of exams. A file is written anew as a whole or not at all, so
there are neither rows marked as deleted nor small files, and a county is read without opening any other
county's.
"""

from risk_model.state.exams import StateExams
from risk_model.state.forward import Brought, bring_forward
from risk_model.state.source import StateMarks, sources_on

__all__ = ["Brought", "StateExams", "StateMarks", "bring_forward", "sources_on"]
