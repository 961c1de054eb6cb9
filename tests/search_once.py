"""A search in a process of its own, to be killed: ``python -m tests.search_once PATH TRIALS``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.test_search import points, searched

if __name__ == "__main__":
    print(json.dumps(points(searched(int(sys.argv[2]), Path(sys.argv[1])))))
