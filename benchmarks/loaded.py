"""A service under load: started, asked by ``wrk``, and what its processes took."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from risk_model.home import Home

COMMANDS = Path(sys.executable).parent
PATIENCE = 120
"""Seconds until a service must answer."""
FIGURES = re.compile(r"99%\s+([\d.]+)(us|ms|s)|Requests/sec:\s+([\d.]+)|Non-2xx or 3xx responses: (\d+)")
IN_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """What one process took until now."""

    name: str
    seconds: float
    """Of a processor."""
    resident_mb: float


@dataclass(frozen=True)
class Running:
    """A service at work."""

    address: str
    pid: int

    def processes(self) -> dict[int, Process]:
        """It and all its children, by process id."""
        return dict(_tree(self.pid))


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    alive: str,
    env: Mapping[str, str] | None = None,
    log: Path = Path(os.devnull),
) -> Iterator[Running]:
    """The service that ``command`` starts, once it answers at the path ``alive``; it talks to ``log``."""
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env=env)
        try:
            _wait_for(address + alive)
            yield Running(address, process.pid)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def served(home: Home, workers: int) -> Iterator[Running]:
    """``dropout-risk serve`` of a home, for people without TLS, too: it is this machine's alone."""
    port = free_port()
    env = {**os.environ, "DROPOUT_RISK_SERVICE__PLAIN_HTTP": "true"}
    command = [str(COMMANDS / "dropout-risk"), "--home", str(home.folder), "serve"]
    command += ["--port", str(port), "--workers", str(workers)]
    with running(command, port, "/livez", env, log_of(home)) as service:
        yield service


def log_of(home: Home) -> Path:
    """What a service of :func:`served` said."""
    return home.folder / "service.log"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def asked(service: Running, script: str, folder: Path, seconds: int, connections: int) -> dict[str, Any]:
    """Requests as the Lua ``script`` makes them, as fast as the connections allow."""
    file = folder / "asked.lua"
    file.write_text(script)
    shape = [f"-t{min(2, connections)}", f"-c{connections}", f"-d{seconds}s", "--latency"]
    before = service.processes()
    told = subprocess.run(
        ["wrk", *shape, "-s", str(file), service.address], check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, Any] = {"seconds": seconds, "connections": connections, "refused": 0}
    for late, unit, rate, refused in FIGURES.findall(told):
        if late:
            found["p99_ms"] = round(float(late) * IN_MS[unit], 2)
        elif rate:
            found["requests_per_second"] = float(rate)
        else:
            found["refused"] = int(refused)
    took = sum(
        process.seconds - (before[pid].seconds if pid in before else 0.0)
        for pid, process in service.processes().items()
    )
    answered = found["requests_per_second"] * seconds
    found["processor_ms_per_request"] = round(1e3 * took / answered, 3) if answered else None
    return found


def _tree(pid: int) -> Iterator[tuple[int, Process]]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return
    name, _, rest = stat.partition("(")[2].rpartition(")")
    user, system = (int(ticks) for ticks in rest.split()[11:13])
    resident = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    yield pid, Process(name, (user + system) / TICK, round(resident, 1))
    for child in children:
        yield from _tree(child)


def _wait_for(address: str) -> None:
    begun = time.monotonic()
    while True:
        try:
            urlopen(address).read()
            return
        except (URLError, ConnectionError):
            if time.monotonic() - begun > PATIENCE:
                raise SystemExit("The service did not start.") from None
            time.sleep(0.2)
