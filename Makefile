# The one definition of every check: README, .ci/run and pre-commit call these targets.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

.PHONY: help demo test chaos lint types check clean
.DEFAULT_GOAL = help

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/slim  ## Draw a street scene, stream it, show the alerts
	$(BIN)/heed demo

test: $(VENV)/dev  ## Run the tests
	$(BIN)/python -m pytest

chaos: $(VENV)/dev  ## Kill, cut off, fill up and freeze everything, and count what is lost (45 minutes)
	$(BIN)/python -m tests.chaos

lint: $(VENV)/dev  ## Check form
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/dev  ## Check types
	$(BIN)/mypy

check: lint types test  ## Check form and types, and run the tests

clean:  ## Remove the virtual environment and what was built
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Heed needs Python 3.11 or later; name one: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --quiet --upgrade pip
	@touch $@

# What runs Heed; without torch.
$(VENV)/slim: $(VENV)/venv pyproject.toml
	$(BIN)/pip install --quiet --quiet --editable .
	@touch $@

# What trains and tests it, too.
$(VENV)/dev: $(VENV)/venv pyproject.toml
	$(BIN)/pip install --quiet --quiet --editable '.[dev]'
	@touch $(VENV)/slim $@
