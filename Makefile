# Everything that is done daily. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup serve gen lint fix

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.server ## Install the server and what it needs into .venv

serve: $(VENV)/.server ## Run the server on an embedded database: http://127.0.0.1:8081
	@exec $(BIN)/llm-schema-registry serve

gen: $(VENV)/.test ## Write what is generated: openapi.yaml
	$(BIN)/python scripts/generate_openapi.py

lint: $(VENV)/.test ## Check style, types and who imports whom
	$(BIN)/ruff format --check src tests scripts
	$(BIN)/ruff check src tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.test ## Mend what can be mended without a person
	$(BIN)/ruff check --fix src tests scripts
	$(BIN)/ruff format src tests scripts

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
