"""All registers of the contract, by name: ``REGISTERS["attendance"].column("mark")``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from risk_model.registers.declaration import Register
from risk_model.registers.declared_offices import (
    ASSIGNMENTS,
    DEPARTMENT_LIST,
    POPULATION,
    POVERTY_LIST,
    STAFF,
)
from risk_model.registers.declared_pupils import ENROLMENTS, FAMILIES, STUDENT_ALIASES, STUDENTS
from risk_model.registers.declared_schools import ATTENDANCE, CALENDAR, HEADCOUNTS, RESULTS, SCHOOLS
from risk_model.registers.declared_support import AID, CARE, TRAVEL

REGISTERS: Mapping[str, Register] = MappingProxyType(
    {
        register.name: register
        for register in (
            SCHOOLS,
            STUDENTS,
            STUDENT_ALIASES,
            ENROLMENTS,
            ATTENDANCE,
            HEADCOUNTS,
            RESULTS,
            FAMILIES,
            TRAVEL,
            AID,
            CARE,
            CALENDAR,
            STAFF,
            ASSIGNMENTS,
            POPULATION,
            POVERTY_LIST,
            DEPARTMENT_LIST,
        )
    }
)
