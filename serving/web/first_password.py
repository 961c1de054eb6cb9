"""A password somebody else made opens one page only: the one where another is chosen."""

from __future__ import annotations

from serving.access.deciding import Viewer
from serving.web.policy import Policy
from serving.web.problems import ProblemError


def demand_own_password(viewer: Viewer | None, policy: Policy) -> None:
    """Raise ProblemError ``change_password`` for whoever has yet to choose a password of their own.

    Routes of that choice say so in their policy; pages lead there (``serving/pages/answering.py``).
    """
    if viewer is not None and viewer.must_change and not (policy.is_open or policy.before_own_password):
        raise ProblemError("change_password")
