# Everything that is done daily. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# RUNLEVEL=1: a service that comes as a package is not started as one.
apt_install = { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); }
LOCK := --universal --generate-hashes --no-annotate --no-header --no-strip-extras --upgrade -q
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help setup setup-test serve gen lint fix test test-fast faults schemathesis nightly mutation bench bench-full \
	backup-s3 lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.server ## Install the server and what it needs into .venv

serve: $(VENV)/.server ## Run the server on an embedded database: http://127.0.0.1:8081
	@exec $(BIN)/llm-schema-registry serve

test: setup-test ## Check and test everything; the last line is the totals
	@$(MAKE) --no-print-directory lint
	@rm -f .coverage*
	@set -o pipefail; $(BIN)/pytest -q -n 2 --dist loadfile --cov --cov-report= $(T) 2>&1 | tee .pytest.log
	@$(BIN)/python scripts/check_coverage.py
	@tail -n 1 .pytest.log

test-fast: $(VENV)/.test ## Run the tests that need no other service; T=path for some of them
	$(BIN)/pytest -q $(or $(T),tests/unit tests/api tests/conformance tests/property tests/test_house.py)

faults: setup-test ## Kill, freeze, fill and fail everything, in full: hours; T=tests/faults/test_t1* for some of it
	FAULTS=long $(BIN)/pytest -q -s $(or $(T),tests/faults)

schemathesis: $(VENV)/.test ## Hold every answer against openapi.yaml: 200 generated requests an operation
	SCHEMATHESIS=long $(BIN)/pytest -q -s tests/e2e/test_schemathesis.py

# A test server, built by Go's own client from its module proxy; nothing of it is installed.
GO ?= $(or $(shell command -v go),/usr/local/go/bin/go)
backup-s3: $(VENV)/.test ## Back up to a real S3 server, versitygw, and print what was sent, found and restored
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		GOBIN=$$folder $(GO) install github.com/versity/versitygw/cmd/versitygw@v1.8.0 && \
		VERSITYGW=$$folder/versitygw $(BIN)/pytest -q -s -m s3 tests/e2e/test_backup_s3.py

bench: $(VENV)/.test ## Measure reads and registrations beside nginx, checks by size, and validation
	@command -v wrk >/dev/null && command -v nginx >/dev/null || $(call apt_install,wrk nginx-light)
	@$(BIN)/python bench/run.py
	@$(BIN)/python bench/compatibility.py
	@$(BIN)/python bench/contracts.py

bench-full: $(VENV)/.test ## Measure PostgreSQL, Redis, two instances and a million versions too; takes half an hour
	@command -v wrk >/dev/null && command -v nginx >/dev/null && command -v h2load >/dev/null || \
		$(call apt_install,wrk nginx-light nghttp2-client)
	@$(MAKE) --no-print-directory setup-test
	@PYTHONPATH=tests $(BIN)/python bench/full.py $(T)

nightly: $(VENV)/.test ## Hold the laws of compatibility on 100,000 generated pairs a format
	PAIRS=100000 $(BIN)/pytest -q -n 2 tests/property

mutation: $(VENV)/.mutation ## Count the mutants of the engines that tests kill; T="--sample 50 parity" for some of them
	$(BIN)/python tests/mutation/run.py $(T)

gen: $(VENV)/.test ## Write what is generated: openapi.yaml and the reference pages
	$(BIN)/python scripts/generate_openapi.py
	$(BIN)/python scripts/generate_reference.py

lint: $(VENV)/.test ## Check style, types and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.test ## Mend what can be mended without a person
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Pin every dependency anew, one lock per purpose (needs uv)
	uv pip compile $(LOCK) --extra server --group build pyproject.toml -o requirements/server.txt
	uv pip compile $(LOCK) --extra server --group build --group test -c requirements/server.txt pyproject.toml \
		-o requirements/test.txt
	uv pip compile $(LOCK) --extra server --group build --group test --group mutation -c requirements/test.txt \
		pyproject.toml -o requirements/mutation.txt

# The tests start private instances of PostgreSQL and Redis; Node.js runs the JavaScript clients.
setup-test: $(VENV)/.test ## Install what the tests need: PostgreSQL, Redis, faketime and Node.js too
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(call apt_install,postgresql)
	@command -v redis-server >/dev/null || $(call apt_install,redis-server)
	@command -v faketime >/dev/null || $(call apt_install,faketime)
	@command -v npm >/dev/null || $(call apt_install,nodejs npm)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps make a second call instant; a changed pin or build file makes the next call install again.
$(VENV)/.server: requirements/server.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/server.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements/test.txt | $(VENV)/.server
	$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/.mutation: requirements/mutation.txt | $(VENV)/.test
	$(PIP) install --require-hashes -r requirements/mutation.txt
	@touch $@
