# Everything a contributor types. Needs python3 (3.10 or later), make and a package registry; no more.
# PYTHON=python3.12   another interpreter        VENV=dir   another virtual environment
# T=tests/unit/test_x.py::test_y   one test      ARGS="-x"  more words for pytest
# APISERVER=real      the demo on real API servers

SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
APISERVER ?= embedded
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WHEEL := build/wheel/.built
EXTENSION := $(shell find azext_kmsmigrate -name '*.py' -o -name '*.json' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help test check format wheel demo bench soak fault-matrix lab-binaries clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  %-20s %s\n' "$$name" "$$text"; done

ifdef T
test: $(READY) $(WHEEL)
	$(BIN)/python -m pytest $(ARGS) $(T)
else
test: check $(WHEEL)  ## all checks and tests; T=path::name runs one test and nothing else
	@$(BIN)/python -m tests.lab ready
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)
endif

check: $(READY)  ## ruff, formatting, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy azext_kmsmigrate tests shipment.py
	$(BIN)/lint-imports

format: $(READY)  ## put the code into ruff's form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

wheel: $(WHEEL)  ## the extension as build/wheel/*.whl

demo: $(READY) $(WHEEL)  ## the whole migration with the real az on a lab (APISERVER=real: on real API servers)
	$(BIN)/python -m tests.demo --apiserver $(APISERVER)

bench: $(READY) $(WHEEL)  ## speed, memory, manners and start-up, on real API servers (QUICK=1; STARTUP=1: that alone)
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(if $(STARTUP),--start-up)

soak: $(READY) $(WHEEL)  ## migrations in which much goes wrong, on real API servers (SEED=1 N=20)
	$(BIN)/python -m tests.soak --seed $(or $(SEED),1) --count $(or $(N),20)

fault-matrix: $(READY) $(WHEEL)  ## docs/fault-matrix.md: every request times every failure; goes on where it was
	$(BIN)/python -m tests.matrix --write

lab-binaries: $(READY)  ## build the real API servers (needs Go; kept outside the checkout)
	$(BIN)/python -m tests.lab.controlplane.real.binaries build

clean:  ## remove what make made, the virtual environment included
	rm -rf build dist .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "$(PYTHON) is too old: Python 3.10 or later is needed (make PYTHON=python3.12 ...)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# Built from a copy, so that nothing but build/ is written and no file of an older build stays in the wheel.
$(WHEEL): $(READY) setup.py shipment.py MANIFEST.in $(EXTENSION)
	rm -rf build/wheel build/source
	mkdir -p build/source build/wheel
	cp -R setup.py shipment.py MANIFEST.in azext_kmsmigrate build/source/
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel build/source >build/wheel.log 2>&1 || { cat build/wheel.log >&2; exit 1; }
	@touch $@
