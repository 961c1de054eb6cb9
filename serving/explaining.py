"""Why a pupil has this risk, and what changed since the run before: all parts, nothing left over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, or_, select

from risk_model.errors import MissingError, UsageError
from risk_model.explanation.families import families
from risk_model.explanation.packing import unpack
from risk_model.explanation.reasons import protective_reasons
from risk_model.explanation.telling import said, summed
from risk_model.explanation.words import Language
from risk_model.features.declared import BY_NAME
from risk_model.home import Home
from risk_model.settings import ListSettings, Settings
from serving.archive import read_evidence
from serving.asking import answer_what_if
from serving.changes import Part, changes_between
from serving.pruning import demand_kept
from serving.seats import of_pupils
from serving.tables import PUBLISHED, STORED, Published, Run, Score

KEPT = (PUBLISHED, STORED)


def explain(
    connection: Connection,
    home: Home,
    settings: Settings,
    student_id: str,
    as_of: date | None = None,
    asked: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The document of ``explain --json``; a pupil who changed identifier is found under the old one, too.

    ``1 / (1 + exp(-(base + Σ contribution)))`` is ``risk``, and ``families`` add up to the same; the
    ``difference`` of all ``changes`` adds up to the difference of the log-odds between the two runs, their
    ``risk_difference`` to that of the risks. Restricted features are one entry for each family. With
    ``asked``, values by feature, ``what_if`` is the model's answer to them.

    Raises
    ------
    UsageError
        The pupil is in no run, or in none by that day; or the question cannot be asked.
    MissingError
        The run of that day is no longer kept; or its contributions, or the model asked, cannot be read.
    """
    if as_of is not None:
        demand_kept(connection, as_of)
    now = _score(connection, student_id, as_of)
    if now is None:
        newest = _newest_identifier(home, settings, student_id)
        now = _score(connection, newest, as_of) if newest else None
    if now is None:
        by_then = "the published lists" if as_of is None else f"any run as of {as_of} or before"
        raise UsageError(f"There is no pupil {student_id!r} in {by_then}. Look the identifier up in a list.")
    before = _score_before(connection, now)
    parts = _parts(home, settings, [run for run in (now, before) if run is not None and run.risk is not None])
    here = parts.get(now.key, {})
    document = {**_about(now, settings.list.language), **_made_of(here, settings.list)}
    document |= _since(home, now, before if now.risk is not None else None, parts, settings.list.language)
    if asked is not None:
        document["what_if"] = answer_what_if(home, settings.list, now, here, asked)
    return document


def _made_of(here: Mapping[str, Part], rules: ListSettings) -> dict[str, Any]:
    """Contributions by feature and by family, and what speaks against leaving."""
    entries = (_entry(name, part, rules.language) for name, part in here.items())
    contributions = sorted(summed(entries, ("contribution",)), key=lambda entry: -abs(entry["contribution"]))
    return {
        "contributions": contributions,
        "families": families(contributions, BY_NAME, rules.language),
        "protective": _protective(here, rules),
    }


def _since(
    home: Home, now: Any, before: Any | None, parts: Mapping[str, Mapping[str, Part]], language: Language
) -> dict[str, Any]:
    """What is compared with, and what changed; nothing without an earlier score."""
    if before is None:
        none = ("changed_since", "risk_before", "model_before")
        return {**dict.fromkeys(none), "model_changed": False, "changes": [], "changes_note": None}
    return {
        "changed_since": before.as_of.isoformat(),
        "risk_before": before.risk,
        "model_before": before.model_version,
        "model_changed": before.model_digest != now.model_digest,
        **changes_between(home, now, before, parts, language),
    }


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
    query = of_pupils(_scores(), [student_id])
    if as_of is None:
        live = and_(Published.school_id == Score.school_id, Published.run == Score.run)
        query = query.join(Published, live)
    else:
        query = query.where(Run.as_of <= as_of)
    return connection.execute(query.order_by(Run.as_of.desc(), Run.id.desc()).limit(1)).one_or_none()


def _score_before(connection: Connection, now: Any) -> Any | None:
    """The pupil's latest score of an earlier run; runs without a score of the pupil are passed over."""
    earlier = or_(Run.as_of < now.as_of, and_(Run.as_of == now.as_of, Run.id < now.run))
    query = of_pupils(_scores(), [now.student_id]).where(Score.risk.is_not(None), earlier)
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


def _about(now: Any, language: Language) -> dict[str, Any]:
    plain = ("student_id", "school_id", "class_id", "grade", "status", "risk")
    ranks = ("rank", "rank_in_school", "rank_in_class", "listed", "model_version")
    return {
        **{name: getattr(now, name) for name in plain},
        "base": now.base if now.risk is not None else None,
        **{name: getattr(now, name) for name in ranks},
        "as_of": now.as_of.isoformat(),
        "reasons": [reason.as_document() for reason in unpack(now.reasons, BY_NAME, language)],
    }


def _entry(name: str, part: Part, language: Language) -> dict[str, Any]:
    told = said(name, part.value, part.of_class, language, BY_NAME)
    return {
        "feature": told.feature,
        "family": told.family,
        "value": told.value,
        "class_value": told.class_value,
        "contribution": part.contribution,
        "text": told.text,
    }


def _protective(here: Mapping[str, Part], rules: ListSettings) -> list[dict[str, Any]]:
    known = [name for name in here if name in BY_NAME]
    if not known:
        return []
    rows = np.array(
        [[(part.value, part.of_class, part.contribution) for part in map(here.get, known) if part]]
    )
    values, of_class, contributions = (rows[:, :, number] for number in range(3))
    features = [BY_NAME[name] for name in known]
    [told] = protective_reasons(features, values, of_class, contributions, rules)
    return [reason.as_document() for reason in told]
