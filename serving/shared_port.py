"""One port for several workers, each with a socket of its own, so that the kernel deals connections out.

Of workers that share one socket the first to wake takes whatever has come: eight connections of a proxy have
been seen at one worker, and none at the other.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from risk_model.errors import UsageError


class SharedPort(socket.socket):
    """A socket bound to a port others may share; sent to another process it is a new one there."""

    @classmethod
    @contextmanager
    def held(cls, host: str, port: int) -> Iterator[SharedPort]:
        """Holds the port for the workers and listens itself to nobody.

        Raises
        ------
        UsageError
            Somebody else listens there: sharing with him would deal him half of our callers.
        """
        try:
            with _unbound(socket.socket, host) as alone:
                alone.bind((host, port))
            with _shared(host, port) as held:
                yield held
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be listened on: {error.strerror}. Choose another --port."
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _shared, self.getsockname()[:2]


def _shared(host: str, port: int) -> SharedPort:
    found = _unbound(SharedPort, host)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind((host, port))
    return found


def _unbound(kind: Any, host: str) -> Any:
    found = kind(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return found
