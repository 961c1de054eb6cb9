"""Workers that share a port: each gets its share of the connections, and nobody else's port is taken."""

from __future__ import annotations

import pickle
import selectors
import socket

import pytest

from risk_model.errors import UsageError
from serving.shared_port import SharedPort
from tests.test_serve import free_port


def test_connections_are_dealt_out_among_the_workers() -> None:
    """Of 64 connections none of two workers gets fewer than 8: by chance that never happens."""
    with SharedPort.held("127.0.0.1", free_port()) as held:
        workers = [pickle.loads(pickle.dumps(held)) for _ in range(2)]
        for worker in workers:
            worker.listen(64)
        callers = [socket.create_connection(held.getsockname()) for _ in range(64)]
        got = [accepted(worker) for worker in workers]
        for one in (*workers, *callers):
            one.close()
    assert sum(got) == 64
    assert min(got) >= 8


def accepted(worker: socket.socket) -> int:
    """How many connections wait for the worker."""
    with selectors.DefaultSelector() as selector:
        selector.register(worker, selectors.EVENT_READ)
        found = 0
        while selector.select(timeout=0.05):
            worker.accept()[0].close()
            found += 1
    return found


def test_a_port_somebody_else_listens_on_is_refused() -> None:
    """Also one that he would share: half of the callers would get his answers."""
    with SharedPort.held("127.0.0.1", free_port()) as held:
        other = pickle.loads(pickle.dumps(held))
        other.listen()
        with pytest.raises(UsageError, match="--port"), SharedPort.held(*held.getsockname()):
            pass
        other.close()
