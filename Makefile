# Everything here sets itself up: a virtual environment in .venv, with pinned and hashed dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOAK_S ?= 600
PYTEST_WORKERS ?= 4

WEB := clients/web-ui
CONSOLE := clients/operator_clients/web/static/index.html

.DEFAULT_GOAL := help
.PHONY: help demo web test test-real check format bench soak lock clean

help:  ## show what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime  ## the whole story on a real six-node cluster; without a terminal headless, with a summary
	@test -e $(CONSOLE) || sh $(WEB)/build.sh $(BIN)/python run --silent build >/dev/null || true
	@$(BIN)/operatord demo

web: $(VENV)/.dev  ## build the web console's application, which the gateway serves
	@sh $(WEB)/build.sh $(BIN)/python run build

test: $(VENV)/.dev $(CONSOLE)  ## the tests, against real processes
	@sh $(WEB)/build.sh $(BIN)/python test
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder -m "not soak and not bench and not real" $(PYTEST_ARGS)

test-real: $(VENV)/.dev  ## tests against the real pd-server, go-ycsb and kube-apiserver, built with Go; without Go they are skipped
	$(BIN)/python -m tests.real.tikv.programs
	$(BIN)/python -m tests.real.kubernetes.programs
	$(BIN)/python -m pytest -m real $(PYTEST_ARGS) tests/real

check: $(VENV)/.dev  ## format, lint, types, import arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy protocol supervisor clients tests
	$(BIN)/lint-imports --no-cache
	@sh $(WEB)/build.sh $(BIN)/python run types
	@sh $(WEB)/build.sh $(BIN)/python run lint

format: $(VENV)/.dev  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## measure; prints JSON, ratios against peers of the same run
	$(BIN)/python -m tests.bench

soak: $(VENV)/.dev  ## the long tests, two to three hours; SOAK_S (600) is how long each of seven goes on
	SOAK_S=$(SOAK_S) $(BIN)/python -m pytest -m soak --timeout 0 $(PYTEST_ARGS)

lock: $(VENV)/.dev  ## pin and hash the newest versions that fit
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-annotate --no-header --upgrade --extra all --group pyproject.toml:build \
	    pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-annotate --no-header --upgrade --extra all --group pyproject.toml:dev \
	    --group pyproject.toml:bench -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(CONSOLE): $(VENV)/.dev $(shell find $(WEB)/src $(WEB)/public -type f) $(WEB)/package-lock.json $(WEB)/index.html
	@sh $(WEB)/build.sh $(BIN)/python run build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	    { echo "make: the venv module is missing (Debian: apt-get install python3-venv)"; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "make: setting up $(VENV) ..." >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml requirements-dev.lock $(VENV)/.runtime
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
