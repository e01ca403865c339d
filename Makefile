# `make` alone lists the verbs. Needed: Python >= 3.11 with venv, make, git. Each verb sets up .venv by itself.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
STAMP := $(VENV)/.complete
PYTEST := $(RUN) pytest
# Drawn anew for each run, and printed: what depends on the order of a set shows.
export PYTHONHASHSEED := $(or $(PYTHONHASHSEED),$(shell echo $$RANDOM))
# Tests run side by side, workers too: more threads than cores would only wait for each other.
export POLARS_MAX_THREADS := 1
ARGS ?=
SEED ?=
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
# The parts of the suite that start real processes, and kill them: a broker and an engine for each pytest worker. They
# wait more than they compute, so more of them run at once than there are cores, the longest files first. The simulation
# runs fewer seeds and the chaos fewer faults in `make test` than in `make sim` and `make chaos`: the whole is to stay
# under a quarter of an hour.
REAL := integration or chaos or packaging or docker

.PHONY: help
help:  ## list the verbs
	@echo "make VERB [ARGS='...']"; echo
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# The first interpreter that is new enough; PYTHON=... chooses one.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

$(STAMP): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "tollstream needs Python 3.11 or newer; '$(or $(PYTHON),python3)' is $$("$(or $(PYTHON),python3)" --version 2>/dev/null || echo missing)." \
	    "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version): about a minute, this once."
	@"$(PYTHON)" -m venv $(VENV) || { \
	  echo "This Python has no working venv module (Debian and Ubuntu: install python3-venv)." >&2; exit 1; }
	@$(RUN) pip install --disable-pip-version-check --require-hashes --requirement requirements.lock \
	  | sed -u -nE 's/^Collecting ([^ ]+).*/  \1/p; /^(Installing|ERROR)/s/(Installing collected packages).*/\1 …/p'
	@$(RUN) pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: setup
setup: $(STAMP)  ## create .venv from requirements.lock

.PHONY: demo
demo: $(STAMP)  ## a day's traffic through Kafka, workers and ClickHouse, one worker killed, a month closed, checked to the last digit
	@$(RUN) tollstream demo $(ARGS)

# Brokers that live for minutes and are started again and again: compiling their hottest code would cost more than it saves.
test: export JDK_JAVA_OPTIONS := -XX:TieredStopAtLevel=1
.PHONY: test
test: $(STAMP)  ## everything: lint, types, and every test, on the real broker and engine
	@$(MAKE) --no-print-directory lint types
	@echo "PYTHONHASHSEED=$(PYTHONHASHSEED)"; failed=0; \
	TOLLSTREAM_SIM_SEEDS=$${TOLLSTREAM_SIM_SEEDS:-200} $(PYTEST) -n 2 --dist worksteal -m "not ($(REAL))" $(ARGS) || failed=1; \
	$(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder -m "$(REAL)" $(ARGS) || failed=1; \
	exit $$failed

.PHONY: fmt
fmt: $(STAMP)  ## format the code
	@$(RUN) ruff check --select I --fix-only .
	@$(RUN) ruff format .

.PHONY: lint
lint: $(STAMP)  ## ruff: rules and format
	@$(RUN) ruff check .
	@$(RUN) ruff format --check --quiet . || { echo "make fmt formats these"; $(RUN) ruff format --check . ; }

.PHONY: types
types: $(STAMP)  ## mypy --strict
	@$(RUN) mypy

.PHONY: unit
unit: $(STAMP)  ## what needs no broker and no engine, in seconds
	@$(PYTEST) -n 2 -m "not (simulation or $(REAL))" $(ARGS)

.PHONY: golden
golden: $(STAMP)  ## write the golden tables again; read the diff as code
	@GOLDEN=write $(PYTEST) $$(grep --recursive --files-with-matches --include='*.py' 'get("GOLDEN")' tests) $(ARGS)
	@git diff --stat

.PHONY: sim
sim: $(STAMP)  ## the simulation; SEED=8814 replays one
	@TOLLSTREAM_SIM_SEED=$(SEED) $(PYTEST) $(if $(SEED),-s,-n 2) -m simulation $(ARGS)

.PHONY: integration
integration: $(STAMP)  ## the suite on the real broker and engine
	@$(PYTEST) -m "integration" $(ARGS)

.PHONY: chaos
chaos: $(STAMP)  ## kill -9, stopped brokers, hanging stores, at three times the size of `make test`
	@TOLLSTREAM_CHAOS_SIZE=$${TOLLSTREAM_CHAOS_SIZE:-3} $(PYTEST) -m "chaos" $(ARGS)

.PHONY: packaging
packaging: $(STAMP)  ## build the wheel and install it in an empty environment
	@$(PYTEST) -m "packaging" $(ARGS)

.PHONY: bench
bench: $(STAMP)  ## events per second end to end, and what each stage costs
	@$(RUN) bench.run $(ARGS)

.PHONY: bench-rating
bench-rating: $(STAMP)  ## what rating costs with large books, as a ratio to small ones
	@$(RUN) bench.rating $(ARGS)

.PHONY: bench-close
bench-close: $(STAMP)  ## how long a month takes to close: ARGS='--tenants 100000'
	@$(RUN) bench.close $(ARGS)

.PHONY: mutants
mutants: $(STAMP)  ## change billing in thousands of ways: which changes does no test notice?
	@POLARS_MAX_THREADS=1 $(RUN) tests.mutation.run $(ARGS)

.PHONY: migrate
migrate: $(STAMP)  ## apply the numbered ClickHouse migrations
	@$(RUN) tollstream schema migrate $(ARGS)

.PHONY: settings
settings: $(STAMP)  ## write docs/settings.md again
	@$(RUN) tollstream.settings_page > docs/settings.md

.PHONY: lock
lock: $(STAMP)  ## resolve both lock files again (LOCK_ARGS="--upgrade" for newer versions)
	@$(COMPILE) --extra dev --output-file requirements.lock $(LOCK_ARGS)
	@$(COMPILE) --extra build --constraint requirements.lock --output-file deploy/docker/requirements.lock

.PHONY: clean
clean:  ## remove .venv, caches and builds; data folders stay
	@rm -rf $(VENV) mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
