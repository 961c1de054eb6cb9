"""Counts and times by route, method and status; routes are named as declared, never as they were called."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from starlette.types import Scope

from serving.web.variables import COUNTS

METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})
REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "dropout_risk_requests", "Requests answered.", ("route", "method", "status"), registry=REGISTRY
)
SECONDS = Histogram(
    "dropout_risk_request_seconds",
    "Seconds until the answer was sent.",
    ("route",),
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5),
)


def count_request(scope: Scope, status: int, seconds: float) -> None:
    """Count one answer; what has no route is counted under ``none``."""
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(route, method, str(status)).inc()
    SECONDS.labels(route).observe(seconds)


def figures() -> bytes:
    """All counts in Prometheus' text format; of all workers where there are several."""
    if os.environ.get(COUNTS):
        registry: Any = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)
    return generate_latest(REGISTRY)
