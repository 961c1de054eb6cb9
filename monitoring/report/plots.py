"""Plots as SVG, written here: no script, nothing from elsewhere, legible at the width of a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from math import log10

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 26
COLOURS = ("#1f5fa8", "#b3541e", "#3d7a4a", "#6b4c9a")
"""Of series, told apart by dash as well, for whoever does not see the colours."""
DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class Series:
    """A line: points ``(x, y, low, high)``, the last two None where there is no interval."""

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]
    joined: bool = True


def over_time(
    lines: Sequence[tuple[str, Sequence[tuple[date, float, float | None, float | None]]]],
    *,
    title: str,
    share: bool = False,
    limit: float | None = None,
) -> str:
    """Lines over days; ``limit`` is drawn across. Empty where no line has a point.

    >>> points = [(date(2026, 1, 1), 1, None, None), (date(2026, 2, 1), 2, None, None)]
    >>> "polyline" in over_time([("a", points)], title="t")
    True
    """
    days = sorted({day for _, points in lines for day, *_ in points})
    if not days:
        return ""
    series = [
        Series(name, [(float(day.toordinal()), y, low, high) for day, y, low, high in points])
        for name, points in lines
    ]
    first, last = days[0].toordinal(), days[-1].toordinal()
    ticks = {float(first): days[0].isoformat()} | (
        {float(last): days[-1].isoformat()} if last > first else {}
    )
    if last - first > 60:
        middle = (first + last) // 2
        ticks[float(middle)] = date.fromordinal(middle).isoformat()[:7]
    return _plot(series, ticks, title, share=share, limit=limit)


def curve(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    title: str,
    marked: tuple[float, float] | None,
) -> str:
    """Shares over shares on a logarithmic axis: the gain of a list by its length; ``marked`` is a point."""
    known = [(name, points) for name, points in lines if points]
    if not known:
        return ""
    series = [Series(name, [(log10(x), y, None, None) for x, y in points]) for name, points in known]
    if marked is not None:
        series.append(Series("", [(log10(marked[0]), marked[1], None, None)], joined=False))
    ticks = {log10(x): f"{x:.0%}" for x in (0.01, 0.02, 0.05, 0.1)}
    return _plot(series, ticks, title, share=True, limit=None)


def diagonal(points: Sequence[tuple[float, float, float | None, float | None]], *, title: str) -> str:
    """Expected across, observed upwards, both logarithmic: on the line a risk was right."""
    lowest = 1e-4
    placed = [
        (_log(x, lowest), _log(y, lowest), _log(low, lowest), _log(high, lowest))
        for x, y, low, high in points
    ]
    if not placed:
        return ""
    ticks = {float(power): f"{10.0**power * 100:g} %" for power in (-4, -3, -2, -1, 0)}
    frame = _Frame(-4.0, 0.0, -4.0, 0.0)
    line = f'<line class="limit" x1="{frame.x(-4)}" y1="{frame.y(-4)}" x2="{frame.x(0)}" y2="{frame.y(0)}"/>'
    body = [line, *_marks(Series("", placed, joined=False), frame, 0)]
    return _svg(title, [*_axes(frame, ticks, ticks), *body])


def bars(rows: Sequence[tuple[str, float, int | None]], *, title: str) -> str:
    """A bar per row: its name, its share, and how many it stands on."""
    if not rows:
        return ""
    highest = max((share for _, share, _ in rows), default=0) or 1.0
    step, parts = 24, []
    for place, (name, share, n) in enumerate(rows):
        y = place * step
        wide = 125 * share / highest
        told = f"{share:.1%}" + (f" (n {n:,})" if n is not None else "")
        parts += [
            f'<text x="134" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="140" y="{y + 5}" width="{wide:.1f}" height="14" fill="{COLOURS[0]}"/>',
            f'<text x="{146 + wide:.1f}" y="{y + 16}">{told}</text>',
        ]
    return _svg(title, parts, height=step * len(rows) + 4)


@dataclass(frozen=True)
class _Frame:
    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        span = (self.right - self.left) or 1.0
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - self.left) / span, 1)

    def y(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.low) / span, 1)


def _plot(
    series: Sequence[Series], ticks: dict[float, str], title: str, *, share: bool, limit: float | None
) -> str:
    points = [point for line in series for point in line.points]
    tops = [max(y, high or y) for _, y, _, high in points] + ([limit * 1.2] if limit else [])
    frame = _Frame(min(p[0] for p in points), max(p[0] for p in points), 0.0, 1.3 * max(tops) or 1.0)
    heights = {frame.high * part: _told(frame.high * part, share) for part in (0.0, 0.35, 0.7)}
    within = {x: text for x, text in ticks.items() if frame.left <= x <= frame.right}
    body = [part for place, line in enumerate(series) for part in _marks(line, frame, place)]
    if limit is not None:
        y = frame.y(limit)
        body.append(f'<line class="limit" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
    return _svg(title, [*_axes(frame, within, heights), *body, *_legend(series)])


def _marks(line: Series, frame: _Frame, place: int) -> list[str]:
    colour = COLOURS[place % len(COLOURS)]
    parts = []
    if line.joined and len(line.points) > 1:
        path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y, *_ in line.points)
        dash = DASHES[place % len(DASHES)]
        parts.append(f'<polyline points="{path}" stroke="{colour}" stroke-dasharray="{dash}"/>')
    few = len(line.points) <= 40
    for x, y, low, high in line.points if few or not line.joined else ():
        if low is not None and high is not None:
            parts.append(
                f'<line x1="{frame.x(x)}" x2="{frame.x(x)}" y1="{frame.y(low)}" y2="{frame.y(high)}" '
                f'stroke="{colour}"/>'
            )
        parts.append(f'<circle cx="{frame.x(x)}" cy="{frame.y(y)}" r="3" fill="{colour}"/>')
    return parts


def _axes(frame: _Frame, across: dict[float, str], upwards: dict[float, str]) -> list[str]:
    parts = []
    for value, text in upwards.items():
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4}" text-anchor="end">{text}</text>')
    for value, text in across.items():
        x = frame.x(value)
        anchor = "start" if x < LEFT + 30 else "end" if x > WIDTH - RIGHT - 30 else "middle"
        parts.append(f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>')
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    named = [(place, line.name) for place, line in enumerate(series) if line.name]
    parts = []
    for row, (place, name) in enumerate(named):
        y = TOP + 8 + 14 * row
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
        parts.append(
            f'<line x1="{LEFT + 6}" x2="{LEFT + 26}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-dasharray="{dash}"/>'
        )
        parts.append(f'<text x="{LEFT + 31}" y="{y + 4}">{escape(name)}</text>')
    return parts


def _svg(title: str, parts: Sequence[str], height: int = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )


def _told(value: float, share: bool) -> str:
    return f"{value:.0%}" if share and value >= 0.05 else f"{value:.1%}" if share else f"{value:.2g}"


def _log(value: float | None, lowest: float) -> float:
    return log10(max(value if value is not None else lowest, lowest))
