"""Alerts on their way: one digest per owner by mail, one post to a webhook. What cannot be sent is told.

A digest holds counts, columns and schools; no pupil is ever named.
"""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any

from monitoring.alerts.standing import Standing
from monitoring.findings import OWNERS
from monitoring.words import Language
from risk_model.errors import UsageError
from risk_model.settings import MonitoringSettings

SECONDS = 10.0
SUBJECTS = {
    "en": "dropout-risk {as_of}: {decision}, {n} to look at",
    "zh": "辍学预警 {as_of}：{decision}，{n} 项待查",
}


def send(
    standing: Sequence[Standing],
    document: dict[str, Any],
    rules: MonitoringSettings,
    language: Language,
    say: Callable[[str], None],
) -> list[Standing]:
    """Send what is due wherever the settings say; the alerts that were sent somewhere."""
    due = [one for one in standing if one.due]
    if not due:
        return []
    ways = [*_posts(due, document, rules, language), *_mails(due, document, rules, language)]
    sent: list[Standing] = []
    for name, told, go in ways:
        try:
            go()
            sent += told
        except (OSError, smtplib.SMTPException, urllib.error.URLError, ValueError) as error:
            say(
                f"Alerts could not be sent to {name} ({error}). They stand in the report and are tried again."
            )
    # Where nothing is configured, the report and the exit code are the telling.
    return sent if ways else due


def _posts(
    due: list[Standing], document: dict[str, Any], rules: MonitoringSettings, language: Language
) -> list[tuple[str, list[Standing], Callable[[], None]]]:
    if not rules.webhook:
        return []
    body = json.dumps(
        {
            "text": digest(due, document, language),
            "decision": document["decision"],
            "as_of": document["as_of"],
            "alerts": [one.as_document() for one in due],
        },
        ensure_ascii=False,
    ).encode()
    return [("the webhook", due, lambda: _post(rules.webhook, body))]


def _post(url: str, body: bytes) -> None:
    if not url.startswith(("http://", "https://")):
        raise UsageError("monitoring.webhook is no http address. Correct it and run again.")
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 – checked above
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
        pass


def _mails(
    due: list[Standing], document: dict[str, Any], rules: MonitoringSettings, language: Language
) -> list[tuple[str, list[Standing], Callable[[], None]]]:
    ways: list[tuple[str, list[Standing], Callable[[], None]]] = []
    for owner in OWNERS:
        own = [one for one in due if one.finding.owner == owner]
        address = rules.owners.get(owner)
        if rules.smtp and address and own:
            message = _message(own, document, rules, address, language)
            ways.append(
                (f"the {owner.replace('_', ' ')}", own, lambda message=message: _mail(message, rules))
            )  # type: ignore[misc]
    return ways


def _message(
    own: list[Standing], document: dict[str, Any], rules: MonitoringSettings, address: str, language: Language
) -> EmailMessage:
    message = EmailMessage()
    told = {"as_of": document["as_of"], "decision": document["decision"], "n": len(own)}
    message["Subject"] = SUBJECTS[language].format(**told)
    message["From"], message["To"] = rules.smtp_from, address
    message.set_content(digest(own, document, language))
    return message


def _mail(message: EmailMessage, rules: MonitoringSettings) -> None:
    host, _, port = rules.smtp.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=SECONDS) as server:
        server.send_message(message)


def digest(due: Sequence[Standing], document: dict[str, Any], language: Language) -> str:
    """One text for all that is due: the gravest first, each with how long it has lasted."""
    lines = [f"{one.finding.said(language)} [{one.finding.key}, {one.since}]" for one in due]
    return "\n".join([*(f"– {line}" for line in lines), "", str(document["report"])])
