"""What was found of a night so far, and how a question is asked: one that fails stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from monitoring.findings import Finding
from monitoring.runs import StoredRun
from risk_model.accounts import Accounts


@dataclass
class Looked:
    """What was found so far."""

    run: StoredRun
    scores: pd.DataFrame
    last: StoredRun | None
    last_scores: pd.DataFrame | None
    schools: pd.DataFrame
    accounts: Accounts
    """What each question costs."""
    findings: list[Finding] = field(default_factory=list)
    parts: dict[str, Any] = field(default_factory=dict)
    """Of the document, by question."""

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """One question, booked as a stage; an error in it becomes a finding."""
        try:
            with self.accounts.stage(what):
                yield
        except Exception as error:
            said = str(error).partition("\n")[0] or type(error).__name__
            self.findings.append(
                Finding("not_asked", "tool", "investigate", "data_scientist", unit=f"question:{what}",
                        window=f"{self.run.as_of}", figures={"what": what, "reason": said})
            )  # fmt: skip
            self.parts.setdefault(what, None)
