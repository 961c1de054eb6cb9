# Needs Python 3.11+ and make; everything else comes from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
DEMO_ARGS ?=
PYTEST_ARGS ?=
export DO_NOT_TRACK := true
# Commands are started hundreds of times by the tests: what is compiled once is kept, whatever the machine's habit.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint bench soak lock clean

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, this is %s; call make PYTHON=python3.12 …" % sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/dropout-risk --home demo demo $(DEMO_ARGS)

test: setup
	$(BIN)/python -m pytest -m "not soak" -n 2 --dist worksteal $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

soak: setup
	$(BIN)/python -m pytest -m soak

# Writes the lock anew; needs uv on the path.
lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean:
	rm -rf .venv demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
