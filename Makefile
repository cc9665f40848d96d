# tlscope's front door. Every target first sets up what it needs in $(VENV); `make help` lists them.

# Candidates for the interpreter, the first fit is taken: 3.11 or newer, with venv.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
VENV   ?= .venv
# Handed on to pytest, or to the demo: make test ARGS="tests/wire -k vector"
ARGS   ?=

BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq
PYTEST := $(BIN)/python -m pytest
XDIST  := -n auto --dist worksteal

# The protocol core, whose branches must be covered.
CORE := wire/* crypto/* keys/* record/* trust/* handshake/* \
        connection.py engine.py config.py errors.py events.py external_psk.py limits.py replay.py sessions.py \
        trace.py violations.py
comma := ,
empty :=
core_paths := $(subst $(empty) $(empty),$(comma),$(addprefix src/tlscope/,$(strip $(CORE))))

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format bench bench-load bench-soak coverage docs lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.run ## one-way and mutual handshakes, drawn as they happened
	@$(BIN)/tlscope demo $(ARGS)

test: $(VENV)/.dev ## every test but the slow ones, in parallel
	@$(PYTEST) $(XDIST) -m "not slow" $(ARGS)

test-slow: $(VENV)/.dev ## the slow tests
	@$(PYTEST) $(XDIST) -m slow $(ARGS)

lint: $(VENV)/.dev ## style, types, and which room may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## put the style right
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure speed against the standard library's ssl
	@$(BIN)/python -m bench $(ARGS)

bench-load: $(VENV)/.dev ## measure a web server under load, with tlscope and with ssl
	@$(BIN)/python -m bench.load $(ARGS)

bench-soak: $(VENV)/.dev ## many connections of every kind for some minutes: nothing may grow
	@$(BIN)/python -m bench.soak $(ARGS)

coverage: $(VENV)/.dev ## test, and fail where less than 95 % of the core's branches were taken
	@$(PYTEST) $(XDIST) -m "not slow" --cov --cov-branch --cov-report= $(ARGS)
	@$(BIN)/coverage report --skip-covered --show-missing --fail-under=95 --include='$(core_paths)'

docs: $(VENV)/.dev ## regenerate the documentation that is drawn from runs
	@$(BIN)/python docs/generate.py

# A lock holds names, versions and hashes of every platform's files; never an address or a path.
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.dev ## lock the dependencies anew (UPGRADE=1 takes the newest versions)
	@$(LOCK) --build-deps-for editable --output-file requirements.txt pyproject.toml
	@$(LOCK) --output-file requirements-dev.txt requirements-dev.in

clean: ## remove caches and build results; the virtual environments stay
	@rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find src tests docs bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@for python in $(PYTHON); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Setting up $(VENV) with $$("$$python" --version)"; \
	        exec "$$python" -m venv $(VENV); \
	    fi; \
	done; \
	echo "tlscope needs Python 3.11 or newer with its venv module, and none of these is one: $(PYTHON)." >&2; \
	echo "Install it (on Debian: apt install python3-venv), or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1

# The locks are complete, so nothing is left to resolve; older pips, asked to, look past an extra's pin for something newer.
$(VENV)/.run: requirements.txt pyproject.toml src/tlscope/_version.py | $(BIN)/python
	@echo "Installing what tlscope runs on into $(VENV)"
	@$(PIP) install --no-deps --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "Installing the development tools into $(VENV)"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.txt
	@touch $@
