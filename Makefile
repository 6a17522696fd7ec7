# Each target alone sets up what it needs: nothing has to be run before it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test test-fast lint bench bench-large clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/lyrist demo --out demo

test: $(READY)
	$(BIN)/python -m pytest

test-fast: $(READY)
	$(BIN)/python -m pytest -m "not slow"

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/prepare.py --rows 20000

bench-large: $(READY)
	$(BIN)/python benchmarks/prepare.py --rows 100000 --runs 3 --out docs/benchmarks.md
	$(BIN)/python benchmarks/scale.py --rows 300000 1000000 --results build/scale.json --folder build/scale

clean:
	rm -rf $(VENV) demo build src/*.egg-info
