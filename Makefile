# Each target alone sets up what it needs: nothing has to be run before it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 3
# Processes of the tests, one more than two cores, since tests wait for servers and workers; each takes up to 2 GB of memory.

.PHONY: setup demo docs replication reliability test test-fast coverage mutants lint bench bench-large clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/lyrist demo --out demo

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open build/site/index.html"

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-fast: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow"

# Not a part of `make test`, because the tests then take 1.4 times the CPU time.
coverage: $(READY)
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

# Mutants of the modules in [tool.mutmut] (pyproject.toml): each fault is put in, and the tests that reach it must fail.
mutants: $(READY)
	$(BIN)/mutmut run
	@$(BIN)/mutmut results --all true | awk -F': ' '/__mutmut_/ { \
		module = $$1; gsub(/^ *|\.x[^.]*$$/, "", module); all[module]++; found[module] += $$2 ~ /killed|timeout/ } \
		END { for (m in all) printf "%5.1f%%  %4d of %4d  %s\n", 100 * found[m] / all[m], found[m], all[m], m }' | sort -k5

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/prepare.py --rows 20000

bench-large: $(READY)
	$(BIN)/python benchmarks/prepare.py --rows 100000 --runs 3 --out docs/benchmarks.md
	$(BIN)/python benchmarks/scale.py --rows 300000 1000000 --results build/scale.json --folder build/scale

# The models of the reports by their own protocols, and docs/replication.md. Takes hours; goes on where it was interrupted.
replication: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/replication.py

# What was tried to break Lyrist: docs/reliability.md. Takes hours; goes on where it was interrupted.
reliability: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reliability.py

clean:
	rm -rf $(VENV) .coverage demo build mutants src/*.egg-info
