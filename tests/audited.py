"""A home whose looks are recorded, on either database, and a viewer who acts in it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from risk_model.home import Home
from risk_model.settings import Settings
from serving.audit.client import AuditClient, DirectAudit
from serving.audit.tables import head_path
from serving.audit.verifying import Verdict, verify


@dataclass(frozen=True)
class Acting:
    """What care needs to know of who acts."""

    account_id: int
    staff_id: str | None


@dataclass(frozen=True)
class AuditedHome:
    """A home, its settings, and its records."""

    home: Home
    settings: Settings

    def direct(self) -> DirectAudit:
        return DirectAudit(self.home, self.settings)

    def client(self, patience: float = 10.0) -> closing[AuditClient]:
        return closing(AuditClient(self.home, self.settings, patience))

    def verdict(self) -> Verdict:
        records = self.direct()
        try:
            return verify(records.engine(), head_path(self.home))
        finally:
            records.close()


@pytest.fixture(name="audited")
def audited_home(tmp_path: Path, database: str | None) -> AuditedHome:
    home = Home(tmp_path / "home")
    home.data.mkdir(parents=True)
    return AuditedHome(home, Settings(database_url=database))
