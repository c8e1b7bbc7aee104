# The one definition of every check: README, .ci/run and pre-commit call these targets.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint types check clean

demo: $(VENV)/slim  ## Render a scripted scene, stream it, show the alerts
	$(BIN)/heed demo

test: $(VENV)/dev  ## Run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/dev  ## Check form
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/dev  ## Check types
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) .venv-slim build dist *.egg-info

$(VENV)/venv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	touch $@

$(VENV)/slim: $(VENV)/venv pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/dev: $(VENV)/venv pyproject.toml
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $(VENV)/slim $@
