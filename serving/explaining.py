"""Why a pupil has this risk, and what changed since the run before: all parts, nothing left over."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from risk_model.errors import MissingError, UsageError
from risk_model.explanation.sentences import is_restricted, restricted_sentence, sentence
from risk_model.explanation.words import Language
from risk_model.home import Home
from risk_model.settings import Settings
from serving.archive import read_evidence
from serving.tables import PUBLISHED, STORED, Published, Run, Score

KEPT = (PUBLISHED, STORED)
BASE = "base"
"""Name of the entry of ``changes`` that tells how the model's own starting point moved."""


@dataclass(frozen=True)
class Part:
    """One feature of one pupil in one run; values NaN = null, contribution in log-odds."""

    value: float
    of_class: float
    contribution: float


def explain(
    connection: Connection, home: Home, settings: Settings, student_id: str, as_of: date | None = None
) -> dict[str, Any]:
    """The document of ``explain --json``; a pupil who changed identifier is found under the old one, too.

    ``1 / (1 + exp(-(base + Σ contribution)))`` is ``risk``; the ``difference`` of all ``changes``
    adds up to the difference of the log-odds between the two runs.

    Raises
    ------
    UsageError
        The pupil is in no run, or in none by that day.
    """
    now = _score(connection, student_id, as_of)
    if now is None:
        newest = _newest_identifier(home, settings, student_id)
        now = _score(connection, newest, as_of) if newest else None
    if now is None:
        by_then = "the published lists" if as_of is None else f"any run as of {as_of} or before"
        raise UsageError(f"There is no pupil {student_id!r} in {by_then}. Look the identifier up in a list.")
    before = _score_before(connection, now)
    parts = _parts(home, settings, [run for run in (now, before) if run is not None and run.risk is not None])
    language = settings.list.language
    document = _about(now)
    here = parts.get(now.key, {})
    document["contributions"] = [
        _entry(name, part, language)
        for name, part in sorted(here.items(), key=lambda item: -abs(item[1].contribution))
    ]
    compared = before if now.risk is not None else None
    document["changed_since"] = compared.as_of.isoformat() if compared else None
    document["risk_before"] = compared.risk if compared else None
    document["model_before"] = compared.model_version if compared else None
    document["model_changed"] = bool(compared and compared.model_digest != now.model_digest)
    document["changes"] = _changes(now, compared, here, parts[compared.key], language) if compared else []
    return document


def _newest_identifier(home: Home, settings: Settings, student_id: str) -> str | None:
    """What the pupil is called now; None if the registers know of no change, or there are none here."""
    from risk_model.lake.reading import open_lake

    try:
        lake = open_lake(home, settings)
    except MissingError:  # lists may be read where the registers are not kept
        return None
    with lake:
        lake.known_on(lake.latest_recorded_on() or date.today())
        query = "select student_id from known.student_aliases where old_student_id = ?"
        found = lake.con.execute(query, [student_id]).fetchone()
    return found[0] if found else None


def _score(connection: Connection, student_id: str, as_of: date | None) -> Any | None:
    """The pupil's published score, or the latest one of any run by ``as_of``; None without one."""
    query = _scores().where(Score.student_id == student_id)
    if as_of is None:
        live = and_(Published.school_id == Score.school_id, Published.run == Score.run)
        query = query.join(Published, live)
    else:
        query = query.where(Run.as_of <= as_of)
    return connection.execute(query.order_by(Run.as_of.desc(), Run.id.desc()).limit(1)).one_or_none()


def _score_before(connection: Connection, now: Any) -> Any | None:
    """The pupil's latest score of an earlier run; runs without a score of the pupil are passed over."""
    earlier = or_(Run.as_of < now.as_of, and_(Run.as_of == now.as_of, Run.id < now.run))
    query = _scores().where(Score.student_id == now.student_id, Score.risk.is_not(None), earlier)
    return connection.execute(query.order_by(Run.as_of.desc(), Run.id.desc()).limit(1)).one_or_none()


def _scores() -> Any:
    runs = (Run.key, Run.as_of, Run.base, Run.features, Run.model_version, Run.model_digest)
    return select(Score.__table__, *runs).join(Run, Run.id == Score.run).where(Run.state.in_(KEPT))


def _parts(home: Home, settings: Settings, scores: Sequence[Any]) -> dict[str, dict[str, Part]]:
    """By run, then by feature."""
    if not scores:
        return {}
    evidence = read_evidence(home, settings, [score.key for score in scores], scores[0].student_id)
    if any(score.key not in evidence for score in scores):
        raise MissingError("The contributions of this run are not in data/runs. Restore them from a backup.")
    return {
        score.key: {
            name: Part(*numbers)
            for name, *numbers in zip(
                json.loads(score.features),
                *(evidence[score.key][kind] for kind in ("values", "class_values", "contributions")),
                strict=True,
            )
        }
        for score in scores
    }


def _about(now: Any) -> dict[str, Any]:
    plain = ("student_id", "school_id", "class_id", "grade", "status", "risk")
    ranks = ("rank", "rank_in_school", "rank_in_class", "listed", "model_version")
    return {
        **{name: getattr(now, name) for name in plain},
        "base": now.base if now.risk is not None else None,
        **{name: getattr(now, name) for name in ranks},
        "as_of": now.as_of.isoformat(),
        "reasons": json.loads(now.reasons),
    }


def _entry(name: str, part: Part, language: Language) -> dict[str, Any]:
    family, text, told = _said(name, part, language)
    return {
        "feature": name,
        "family": family,
        "value": _plain(part.value) if told else None,
        "class_value": _plain(part.of_class) if told else None,
        "contribution": part.contribution,
        "text": text,
    }


def _changes(
    now: Any, before: Any, here: Mapping[str, Part], there: Mapping[str, Part], language: Language
) -> list[dict[str, Any]]:
    """What moved, largest first; a feature unknown to one of the two models counts as 0 there."""
    nothing = Part(math.nan, math.nan, 0.0)
    moved = [
        _moved(name, here.get(name, nothing), there.get(name, nothing), language)
        for name in {**here, **there}
    ]
    moved.append(
        {
            "feature": BASE,
            "family": "model",
            "value_before": before.base,
            "value": now.base,
            "difference": now.base - before.base,
            "text": f"{before.model_version} → {now.model_version}",
        }
    )
    return sorted(
        (entry for entry in moved if entry["difference"] != 0), key=lambda entry: -abs(entry["difference"])
    )


def _moved(name: str, now: Part, before: Part, language: Language) -> dict[str, Any]:
    family, text, told = _said(name, now, language)
    return {
        "feature": name,
        "family": family,
        "value_before": _plain(before.value) if told else None,
        "value": _plain(now.value) if told else None,
        "difference": now.contribution - before.contribution,
        "text": text,
    }


def _said(name: str, part: Part, language: Language) -> tuple[str, str, bool]:
    """Family and sentence, and whether the value may be told; of one no longer declared, its name."""
    from risk_model.features.declared import BY_NAME

    feature = BY_NAME.get(name)
    if feature is None:
        return "model", name, True
    if is_restricted(feature):
        return feature.family, restricted_sentence(feature.family, language), False
    return feature.family, sentence(feature, part.value, part.of_class, language), True


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
