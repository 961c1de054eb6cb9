"""``docs/features.md``, written from the declarations: ``python -m risk_model.features.documentation``."""

from __future__ import annotations

from pathlib import Path

from risk_model.features.declared import FEATURES
from risk_model.features.feature import Family, Feature

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "features.md"

FAMILIES: dict[Family, str] = {
    "attendance": "Attendance",
    "learning": "Learning",
    "family": "Family",
    "distance": "Distance",
    "time": "Time",
}
DIRECTIONS = {1: "never falls", -1: "never rises", 0: "either"}
HEAD = """\
# Features

Written from the declarations in `risk_model/features/` by `python -m risk_model.features.documentation`;
do not edit. Every value is a float64 as known on the snapshot date, NaN where the registers do not tell.
*Risk* says how the risk may move when the value rises: the monotone constraint of the model. *Care* says
whether care can change the value. Of a *restricted* feature lists show only the family.
"""


def feature_document() -> str:
    """The whole document, as text."""
    return HEAD + "".join(_section(family, title) for family, title in FAMILIES.items())


def _section(family: Family, title: str) -> str:
    rows = "".join(_row(feature) for feature in FEATURES if feature.family == family)
    return (
        f"\n## {title}\n\n"
        "| feature | what a teacher reads | unit | risk | care | sensitivity | needs | null means |\n"
        f"|---|---|---|---|---|---|---|---|\n{rows}"
    )


def _row(feature: Feature) -> str:
    cells = (
        f"`{feature.name}`",
        f"{feature.text_en}<br>{feature.text_zh}",
        feature.unit,
        DIRECTIONS[feature.direction],
        "yes" if feature.changeable else "no",
        feature.sensitivity,
        ", ".join(feature.needs),
        f"{feature.null_en}<br>{feature.null_zh}",
    )
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Write the document."""
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(feature_document(), encoding="utf-8")


if __name__ == "__main__":
    main()
