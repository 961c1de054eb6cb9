"""DuckDB's extensions: a process checks their signatures before it maps them, and once."""

from __future__ import annotations

import subprocess
import sys

_ALLOWED = "con.execute(\"select current_setting('allow_unsigned_extensions')\").fetchone()[0]"
TWO = f"""
import sys
from pathlib import Path
from risk_model.lake.attaching import connect
from risk_model.settings import Settings

for _ in range(2):
    con = connect(Settings(), Path(sys.argv[1]))
    print({_ALLOWED})
    con.close()
"""
FORGED = """
import sys
from pathlib import Path
from risk_model.lake import attaching
from risk_model.settings import Settings

real = attaching._extension_file
def forged(name):
    whole = bytearray(real(name).read_bytes())
    whole[len(whole) // 2] ^= 1
    file = Path(sys.argv[1]) / real(name).name
    file.write_bytes(whole)
    return file
attaching._extension_file = forged
attaching.connect(Settings(), Path(sys.argv[1]))
"""


def in_a_process_of_its_own(code, folder) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )


def test_the_first_connection_of_a_process_checks_signatures(tmp_path):
    assert in_a_process_of_its_own(TWO, tmp_path).stdout.split() == ["False", "True"]


def test_a_changed_extension_is_not_loaded(tmp_path):
    ended = in_a_process_of_its_own(FORGED, tmp_path)
    assert ended.returncode
    assert "signature" in ended.stderr
