"""Sections of lists, the service and care, and what commands tell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from risk_model.settings.kinds import Section


class PublicationSettings(Section):
    """How long the lists of the past are kept."""

    keep_runs_days: Annotated[int, Field(ge=7)] = 60
    """Every run of the last so many days is kept; of weeks before them what was published at their end."""


Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$", max_length=260)]
"""A host as it stands in an address, with its port if it names one."""


class ServiceSettings(Section):
    """The web service that ``serve`` starts."""

    plain_http: bool = False
    """Cookies without ``__Host-`` and ``Secure``, for trying out on one machine; refused but on loopback."""
    max_body_kb: Annotated[int, Field(ge=16, le=65536)] = 1024
    """No request may be larger."""
    sign_ins_per_minute: Annotated[int, Field(ge=1)] = 10
    """Attempts for one login; from one address three times as many, for a school shares one."""
    smallest_cell: Annotated[int, Field(ge=2)] = 10
    """Fewer pupils than this are counted in no published table."""
    oidc_issuer: str | None = None
    """The OpenID Connect provider people may sign in with; none: passwords only."""
    oidc_client_id: str | None = None
    oidc_client_secret_file: str | None = None
    """A file that holds the client's secret, so that it stands in no configuration."""
    oidc_endpoint_hosts: tuple[Host, ...] = ()
    """Hosts beside the issuer's own where endpoints of the provider may lie, as ``keys.example.org:8443``."""
    public_url: str | None = None
    """Where people reach the service, as ``https://risk.example.org``; the provider sends them back there."""


class CareSettings(Section):
    """When one-to-one care is due, and who is told that it is not done."""

    first_contact_days: Annotated[int, Field(ge=1, le=90)] = 7
    """A pupil given into somebody's care is spoken to within so many days…"""
    contact_every_days: Annotated[int, Field(ge=1, le=366)] = 30
    """…and again so many days after, where no other day was agreed."""
    township_after_days: Annotated[int, Field(ge=0, le=366)] = 7
    """What is overdue is shown to the school at once, after so many days to the township…"""
    county_after_days: Annotated[int, Field(ge=0, le=366)] = 14
    """…and after so many to the county."""
    follow_up_days: Annotated[int, Field(ge=1, le=366)] = 60
    """A note, or care that was closed, counts as follow-up for so many days."""


class LogSettings(Section):
    """What is told on stderr while a command works."""

    format: Literal["auto", "text", "json"] = "auto"
    """``auto``: bars and sentences on a terminal, else lines of JSON from the commands a scheduler calls
    (import, train, score, nightly) and sentences from the others; ``text`` or ``json`` always."""


class MetricsSettings(Section):
    """Figures of the last run for Prometheus' node exporter (its textfile collector)."""

    textfile: str = "data/metrics/score.prom"
    """Written after each ``score``, within the home if it is no absolute path; ``import`` and ``train`` write
    ``import.prom`` and ``train.prom`` beside it. Empty: nothing is written."""
