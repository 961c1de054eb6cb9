"""Where bundles lie: once under ``mlruns/bundles/``, each in a folder named by its digest."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from risk_model.errors import BundleError
from risk_model.home import Home
from risk_model.model.loading import Verified, verify
from risk_model.model.storing import copy_bundle


class Shelf:
    """The bundles of one home, loadable by path and digest without MLflow."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def folder(self, digest: str) -> Path:
        """Where the bundle of this digest lies or would lie."""
        return self._home.bundles / digest[:12]

    def relative(self, digest: str) -> str:
        """The same relative to the home, so that a moved home still scores."""
        return self.folder(digest).relative_to(self._home.folder).as_posix()

    def put(self, source: Path, verified: Verified) -> Path:
        """Copy a verified bundle to its folder unless it lies there already, sound.

        A damaged one is moved aside, never overwritten: somebody may want to know what happened.
        The caller holds the home's ``registry`` lock.
        """
        place = self.folder(verified.digest)
        for killed in place.parent.glob(".*"):  # a copy that was killed on the way
            shutil.rmtree(killed)
        if place.exists():
            try:
                verify(place, verified.digest)
            except BundleError:
                place.rename(place.with_name(f"{place.name}.damaged.{uuid4().hex[:8]}"))
            else:
                return place
        copy_bundle(source, place)
        return place
