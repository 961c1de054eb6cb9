"""Whose place in a run was drawn by lot, for whoever shows a list or a pupil.

A list whose last places were drawn does not end where the risks do, and a reader is owed the reason. The
record (:mod:`risk_model.draw_record`) is the only one who knows it: scores hold the list as it came out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from risk_model.draw_record import read_draw
from risk_model.home import Home
from risk_model.lake.attaching import connect
from risk_model.near_equals import OFFERED
from risk_model.settings import Settings

Language = Literal["en", "zh"]
SENTENCES: Mapping[tuple[Language, bool], str] = {
    ("en", True): (
        "This place was drawn by lot among pupils of nearly equal risk (round “{round}”, decided by "
        "{decided_by}, until {until}). Without the lot somebody else might have it."
    ),
    ("en", False): (
        "This pupil's place at the end of the list was drawn by lot for another of nearly equal risk (round "
        "“{round}”, decided by {decided_by}, until {until}). Whoever sees a need may add the pupil."
    ),
    ("zh", True): (
        "该名额在风险几乎相同的学生中抽签产生（轮次“{round}”，"
        "由{decided_by}决定，至{until}）。若不抽签，名额可能属于他人。"
    ),
    ("zh", False): (
        "该生在名单末尾的名额经抽签给了风险几乎相同的另一名学生"
        "（轮次“{round}”，由{decided_by}决定，至{until}）。发现需要时可随时将其加入。"
    ),
}
MEMORY = "200MB"
"""For a few hundred rows."""


@dataclass(frozen=True)
class DrawnPlaces:
    """The draw of one run, by pupil; whoever is in neither arm has the place the rank gave."""

    round: str
    decided_by: str
    until: str
    arms: Mapping[str, str]
    """``offered`` or ``usual`` by ``student_id``."""

    def offered(self, student_id: str) -> bool | None:
        """Whether the lot gave the pupil a place; None for whoever was not drawn."""
        arm = self.arms.get(student_id)
        return None if arm is None else arm == OFFERED

    def said(self, student_id: str, language: Language) -> str | None:
        """The sentence beside the pupil's place; None for whoever was not drawn."""
        offered = self.offered(student_id)
        if offered is None:
            return None
        return SENTENCES[language, offered].format(
            round=self.round, decided_by=self.decided_by, until=self.until
        )


def drawn_places(home: Home, run_id: str, document: Mapping[str, Any]) -> DrawnPlaces | None:
    """Who was drawn by lot in the run ``run_id``; None where nobody was asked to draw.

    Parameters
    ----------
    document : the run's own, as the service database holds it; ``comparison`` has the record's digest.

    Raises
    ------
    DrawRecordError
        The record is gone or not the one that was drawn: a page can then say that places were, not whose.
    """
    told = document.get("comparison")
    if told is None:
        return None
    return DrawnPlaces(told["round"], told["decided_by"], told["until"], _arms(home, run_id, told["digest"]))


@lru_cache(maxsize=16)
def _arms(home: Home, run_id: str, digest: str) -> Mapping[str, str]:
    """Arms by pupil. A record never changes under its digest, so that a page reads it once, not each time."""
    with connect(Settings(memory_limit=MEMORY), home.data / "spill") as con:
        rows = read_draw(con, home, run_id, digest)
    return MappingProxyType(dict(zip(rows["student_id"], rows["arm"], strict=True)))
