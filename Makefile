# make demo    the whole thing, with a story in it     make test    every check
# make setup   .venv alone                             make bench   the numbers, measured here
# make faults  break a running system, again and again (ROUNDS=1000 for an hour; taken up where it ended)
#
# Needs from the system: python3 (3.11 to 3.13), python3-venv, make.

PYTHON ?= python3
PIP := -m pip --disable-pip-version-check --no-input
DEMO_DATA ?= demo-data
ROUNDS ?= 50
SEED ?= 2026
FAULTS ?= faults.json
# Files in the order of their names: the long ones of tests/e2e and tests/fault begin first, and
# wait for much, so more run at once than there are processors.
PYTEST_ARGS ?= -n 4 --dist loadfile --no-loadscope-reorder --durations=25

# With this set, each of the many processes that a test or the demo starts would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo setup channels test bench faults format lint types layers tests clean system
.DEFAULT_GOAL := help

help:
	@sed -n '1,5s/^# \{0,1\}//p' Makefile

demo: .venv/.installed
	.venv/bin/coldtrail demo --data $(DEMO_DATA)

setup: .venv/.installed

# Alibaba, Tencent and Apprise beside what `setup` brings.
channels: .venv/.installed
	.venv/bin/python $(PIP) install --quiet --no-compile --require-hashes -r requirements-channels.lock

test: format lint types layers tests

format: .venv-dev/.installed
	.venv-dev/bin/ruff format --check .

lint: .venv-dev/.installed
	.venv-dev/bin/ruff check .

types: .venv-dev/.installed
	.venv-dev/bin/mypy

layers: .venv-dev/.installed
	.venv-dev/bin/lint-imports

tests: .venv-dev/.installed
	.venv-dev/bin/pytest $(PYTEST_ARGS)

bench: .venv-dev/.installed
	.venv-dev/bin/python -m bench

faults: .venv-dev/.installed
	.venv-dev/bin/python -m tests.faults --rounds $(ROUNDS) --seed $(SEED) --state $(FAULTS)

clean:
	rm -rf .venv .venv-dev .mypy_cache .ruff_cache .pytest_cache .hypothesis

# An environment is made once, and brought up to date when its lock or the project's table changes.
# The editable install comes second: pip refuses it beside hashes.
.venv/.installed: requirements.lock pyproject.toml | system
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) install --quiet --no-compile --require-hashes -r requirements.lock
	.venv/bin/python $(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv-dev/.installed: requirements-dev.lock pyproject.toml | system
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/python $(PIP) install --quiet --no-compile --require-hashes -r requirements-dev.lock
	.venv-dev/bin/python $(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

system:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "missing: python3 (on Debian: apt install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); Coldtrail needs Python 3.11 to 3.13" >&2; \
	  echo "(another one: make PYTHON=python3.12 ...)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "missing: python3-venv (on Debian: apt install python3-venv)" >&2; exit 1; }
