"""The map in risk_model/README.md is held here: which room may import which."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_import_arrows_of_the_map_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "library", ["duckdb", "mlflow", "evidently", "shap", "lightgbm", "pandas", "pydantic", "sklearn"]
)
def test_help_needs_no_heavy_library(library):
    code = (
        "import sys; from click.testing import CliRunner; from risk_model.command.main import main;"
        "result = CliRunner().invoke(main, ['--help']); assert result.exit_code == 0, result.output;"
        "assert 'import' in result.output and 'score' in result.output;"
        f"sys.exit({library!r} in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_looking_at_models_imports_nothing_that_makes_them():
    code = (
        "import sys, training.registered, training.shadowed;"
        "sys.exit(' '.join({'lightgbm', 'sklearn', 'scipy', 'mlflow'} & set(sys.modules)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_room_of_the_map_exists():
    """The map names every package of the top level, and every module it names exists."""
    import re

    text = (ROOT / "risk_model" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:risk_model|training|serving|monitoring)/[\w/]+(?:\.py|/)?)`", text))
    assert named, "the map names no module"
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_lock_has_hashes_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert len(pinned) > 100
    assert all(line.endswith("\\") for line in pinned)
