"""Loops compiled by numba, the same way everywhere; import this only where such a loop is defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any], signature: Any = None) -> Any:
    """Compile once and keep the code on disk; where nothing may be written, compile in every process.

    The GIL is released, a division by zero is what it is in numpy, and there is no ``fastmath``.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(signature, cache=True, **options)(function)
    except (RuntimeError, OSError):
        return njit(signature, **options)(function)
