"""``make bench``: every benchmark that makes its own data, small, one JSON document each."""

import subprocess
import sys

SMALL = {
    "benchmarks.importing": ["--rows", "1000000", "--pupils", "50000"],
    "benchmarks.explain": ["--rows", "20000", "--models", "3", "--rounds", "3"],
    "benchmarks.publish": ["--rows", "100000"],
    "benchmarks.state": ["--students", "20000"],
    "benchmarks.nightly": ["--students", "5000", "--sample", "2000"],
    "benchmarks.scaling": ["--sizes", "2000,4000,8000", "--students", "3000", "--on-cluster", "3000"],
    "benchmarks.monitoring": ["100000"],
    "benchmarks.whole_way": ["--students", "5000", "--years", "1"],
}

for module, arguments in SMALL.items():
    print(f"{module} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", module, *arguments, "--json"], check=True)
