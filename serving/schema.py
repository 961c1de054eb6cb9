"""Every table of the service database: importing this module declares them all."""

from __future__ import annotations

from serving.access import tables as access
from serving.accounts import tables as accounts
from serving.care import tables as care
from serving.tables import Base
from serving.web import tables as web

__all__ = ["Base", "access", "accounts", "care", "web"]
