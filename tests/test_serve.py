"""The command itself: workers, the audit's writer beside them, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from risk_model.errors import RiskModelError, UsageError
from risk_model.settings import Settings
from serving.accounts.tokens import create_token
from serving.audit.reading import looks_at
from serving.audit.tables import open_audit
from serving.database import open_database
from serving.serve import DirectoryKeeper, demand_safe
from tests import cast
from tests.service_rig import scored_home, settled


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = monotonic() + 90
    while True:
        assert process.poll() is None, log.read_text()
        assert monotonic() < deadline, log.read_text()
        try:
            if httpx.get(url, timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            sleep(0.1)


def children(parent: int) -> list[int]:
    """Processes started by a process, ascending."""
    return sorted(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


@pytest.mark.slow
def test_two_workers_answer_and_one_writer_records(tmp_path: Path) -> None:
    """Lists over HTTP, every look in the chain, counts of both workers together, an end on SIGTERM."""
    with scored_home(tmp_path, None) as (home, settings):
        settled(home, settings)
    now = datetime.now(UTC)
    with open_database(home, settings) as engine, engine.begin() as connection:
        scopes = frozenset({"lists:read", "students:read"})
        token = create_token(connection, "office", scopes, "school:A", now + timedelta(days=1), now)
    port, log = free_port(), tmp_path / "log"
    start = "from risk_model.command.main import main; main()"
    command = [sys.executable, "-c", start, "--home", str(home.folder), "serve"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--workers", "2"], stdout=out, stderr=out, env=os.environ
        )
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/readyz", process, log)
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=base, headers=headers, timeout=30) as client:
            got = [client.get("/api/v1/students/S-MEI/explanation").status_code for _ in range(6)]
            assert got == [200] * 6
            assert client.get("/api/v1/students/S-LAN/explanation").status_code == 404
            assert client.get("/api/v1/lists", params={"unit": "school:A"}).status_code == 200
            with ThreadPoolExecutor(8) as threads:
                path = f"/api/v1/lists?unit={cast.A7A}"
                looks = list(threads.map(lambda _: client.get(path).status_code, range(80)))
            assert looks == [200] * 80
            counted = client.get("/metrics").text
            held_up = children(process.pid)
            for worker in held_up:
                os.kill(worker, signal.SIGSTOP)
            sleep(7)  # longer than uvicorn waits by itself
            for worker in held_up:
                os.kill(worker, signal.SIGCONT)
            assert client.get("/api/v1/lists", params={"unit": "school:A"}).status_code == 200
            assert children(process.pid) == held_up, "on a busy machine a slow worker is not ended"
        told = '{method="GET",route="/api/v1/students/{student_id}/explanation",status="200"} 6.0'
        assert told in counted
        with open_audit(home, settings) as engine, engine.connect() as connection:
            assert len(looks_at(connection, "S-MEI")) == 6
            assert len(looks_at(connection, "S-LEI", units=(cast.A7A,))) == 80
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert "S-MEI" not in log.read_text()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "risk.example.org"])
def test_plain_cookies_are_refused_where_others_could_read_them(host: str) -> None:
    """Without TLS only on this machine."""
    service = Settings().service.model_copy(update={"plain_http": True})
    with pytest.raises(UsageError, match="plain_http"):
        demand_safe(host, Settings(service=service))
    demand_safe(host, Settings())
    demand_safe("127.0.0.1", Settings(service=service))
    demand_safe("::1", Settings(service=service))


def test_the_directory_is_read_at_the_start_and_again_and_a_failure_is_said_once() -> None:
    """A broken lake does not stop the service: staff and classes stay as they were."""
    turns: list[int] = []
    said: list[str] = []

    def refresh() -> None:
        turns.append(len(turns))
        if len(turns) > 1:
            raise RiskModelError("The lake is gone.")

    keeper = DirectoryKeeper(refresh, said.append, every=0.01)
    with keeper.running():
        assert turns[0] == 0
        deadline = monotonic() + 10
        while len(turns) < 4 and monotonic() < deadline:
            sleep(0.01)
    assert len(turns) >= 4
    assert said == ["Staff and classes stay as they were: The lake is gone."]
