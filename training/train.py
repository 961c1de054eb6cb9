"""``train``: look back, test on the past, fit, calibrate, judge, register, promote.

Read :func:`run` from top to bottom, and :func:`training.looking_back.look_back` within it; each step is a
module of its own.
"""

from __future__ import annotations

import json
import tempfile
from getpass import getuser
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from risk_model.features.declared import FEATURES
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.registry import Champion, Registry
from risk_model.settings import Settings
from training.candidate import Soundness, check_bundle
from training.card.making import cards
from training.gate import Gate, gate_for_rule, gate_for_trees
from training.looking_back import Past, Request, look_back
from training.recording import document_of, record_of
from training.watch import Watch


def run(home: Home, settings: Settings, request: Request, watch: Watch) -> dict[str, Any]:
    """Train on the registers of ``home`` and answer the document of contract §3.

    Killed at any moment it leaves the champion as it was; the same registers, settings and code give
    the same bundle again.

    Raises
    ------
    MissingError
        There are no registers.
    UsageError
        A snapshot asked for lies outside the history whose labels have matured.
    """
    registry = Registry(home, settings)
    with open_lake(home, settings) as lake:
        past = look_back(lake, settings, request, watch, registry, home)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        past.candidate.save(bundle, past.provenance)
        soundness = check_bundle(bundle, past.candidate.rows, FEATURES)
        gate = _gate(past, soundness, registry.champion(), settings)
        document = document_of(past, gate, settings)
        with watch.stage("register", "Drawing and registering"):
            record = record_of(past, gate, document, settings)
            record["artifacts"] |= cards(document, bundle)
            version = registry.record_run(bundle, **record)
    promoted = _promote(registry, version, gate, request.promote)
    challenging = not promoted and _challenge(registry, version, gate)
    if request.keep_predictions is not None:
        _keep(past.judgement.predictions, request.keep_predictions)
    return {
        "version": version,
        "promoted": promoted,
        "challenging": challenging,
        **document,
        "stages": watch.stages,
        "peak_memory_mb": watch.peak_memory_mb,
        "seconds": watch.seconds,
    }


def _gate(past: Past, soundness: Soundness, champion: Champion | None, settings: Settings) -> Gate:
    if past.candidate.trees:
        evidence = past.judgement.evidence
        gate = gate_for_trees(past.candidate, evidence, soundness, past.history_days, settings.training)
        gate = gate.with_leaks(past.audit.leaks).with_challenge(past.audit.comparison, settings)
        return gate.with_first_labels(past.audit.first_labels, settings.training)
    kind = None if champion is None else champion.load().manifest.kind
    return gate_for_rule(
        past.candidate, soundness, past.history_days, kind, settings.training, past.audit.first_labels
    )


def _promote(registry: Registry, version: str, gate: Gate, promote: str) -> bool:
    if promote == "never" or (promote == "auto" and not gate.passed):
        return False
    why = "the gate passed"
    if not gate.passed:
        why = "forced although the gate failed: " + ", ".join(check.name for check in gate.failed)
    registry.promote(version, who=getuser(), why=why, report_digest=_digest(gate))
    return True


def _challenge(registry: Registry, version: str, gate: Gate) -> bool:
    """A sound version that was not promoted scores beside the champion, unseen, until a newer one does.

    Not one that is the champion over again, and not without a champion to stand beside.
    """
    champion = registry.champion()
    if champion is None or not gate.sound or registry.bundle(version).digest == champion.digest:
        return False
    failed = ", ".join(check.name for check in gate.failed)
    why = f"trained and not promoted{': ' + failed if failed else ''}"
    registry.challenge(version, who=getuser(), why=why, report_digest=_digest(gate))
    return True


def _digest(gate: Gate) -> str:
    return sha256(json.dumps(gate.document(), sort_keys=True, default=float).encode()).hexdigest()


def _keep(predictions: pd.DataFrame, path: Path) -> None:
    """Readable for the caller alone: it says of pupils who left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    predictions.to_parquet(path, index=False)
