# The project's daily words. `make help` lists them.
VENV ?= .venv
PY := $(VENV)/bin/python
export PYTHONPATH := api:operator:agent:runner:cli:.
SOURCES := $(wildcard api operator agent runner cli devcluster packs scripts tests bench)

.PHONY: help check format lint types imports budgets lock
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/ok: locks/dev.txt scripts/bootstrap.sh
	@VENV=$(VENV) sh scripts/bootstrap.sh

check: $(VENV)/ok lint types imports budgets  ## format, lint, types, import rules, house-style budgets

format: $(VENV)/ok  ## rewrite the sources in the house format
	@$(PY) -m ruff format -q $(SOURCES); $(PY) -m ruff check -q --fix $(SOURCES)

lint: $(VENV)/ok
	@$(PY) -m ruff format --check -q $(SOURCES)
	@$(PY) -m ruff check -q $(SOURCES)

types: $(VENV)/ok
	@$(PY) -m mypy $(SOURCES)

imports: $(VENV)/ok
	@$(VENV)/bin/lint-imports

budgets: $(VENV)/ok
	@$(PY) scripts/budgets.py

lock:  ## write locks/*.txt anew from pyproject.toml
	@sh scripts/lock.sh
