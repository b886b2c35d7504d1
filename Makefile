# The project's daily words. `make` lists them.
VENV ?= .venv
PY := $(VENV)/bin/python
export PYTHONPATH := api:operator:agent:runner:cli:.
SOURCES := $(wildcard api operator agent runner cli devcluster packs scripts tests bench)

.DEFAULT_GOAL := help
.PHONY: help quickstart judge demo test check format lint types imports budgets unit apiserver fidelity e2e soak resume bench verify generate pack pack-upscaler lock clean devcluster-build devcluster-up devcluster-down devcluster-purge devcluster-status

help:  ## this list
	@grep -hE '^[a-z0-9 -]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 30

quickstart: $(VENV)/ok  ## the first film on this machine, without a cluster; mp4 and contact sheet in demo-output/
	@$(PY) -m scripts.quickstart

.DEFAULT:
	@echo "make: there is no $@; what there is:" >&2; $(MAKE) -s help; exit 2

demo: $(VENV)/ok  ## the product on a real cluster on this machine; CONTEXT=name OPERATOR_IMAGE=… RUNNER_IMAGE=…: on yours
	@$(PY) -m scripts.demo $(if $(CONTEXT),--context '$(CONTEXT)' --operator-image '$(OPERATOR_IMAGE)' --runner-image '$(RUNNER_IMAGE)')

test: $(VENV)/ok  ## everything daily: check, unit, API server, whole node
	@$(PY) scripts/run_tests.py

unit apiserver fidelity e2e soak resume: $(VENV)/ok  ## one level of the tests
	@$(PY) scripts/run_tests.py $@

judge: fidelity

check: $(VENV)/ok lint types imports budgets  ## format, lint, types, import rules, house-style budgets

format: $(VENV)/ok  ## rewrite the sources in the house format
	@$(PY) -m ruff format -q $(SOURCES); $(PY) -m ruff check -q --fix $(SOURCES)

lint: $(VENV)/ok
	@$(PY) -m ruff format --check -q $(SOURCES)
	@$(PY) -m ruff check -q $(SOURCES)

types: $(VENV)/ok
	@$(PY) -m mypy $(SOURCES)

imports: $(VENV)/ok
	@$(VENV)/bin/lint-imports --no-logo 2>/dev/null || $(VENV)/bin/lint-imports

budgets: $(VENV)/ok
	@$(PY) scripts/check_budgets.py

generate: $(VENV)/ok  ## write anew what follows from the models: the CRD, its copy in the chart, the reference
	@$(PY) -m scripts.generate_crd

verify: $(VENV)/ok  ## fail when generated files are not what the models say
	@$(PY) -m scripts.generate_crd --check

pack: $(VENV)/ok  ## train the built-in model packs anew (about 100 minutes on two cores with bfloat16; goes on where it was stopped)
	@$(PY) -W ignore -m packs.shapes.train --out runner/videojob_runner/models/builtin

pack-upscaler: $(VENV)/ok  ## train the built-in upscaler anew (about 5 minutes of one core)
	@$(PY) -W ignore -m packs.upscaler.train --out runner/videojob_runner/models/builtin

bench: $(VENV)/ok  ## VQGAN+CLIP's seconds and memory against the original's way (about an hour of two cores); ARGS='--help'
	@$(PY) -m bench.vqgan_clip $(ARGS)

lock:  ## write locks/*.txt anew from pyproject.toml
	@sh scripts/lock.sh

$(VENV)/ok: locks/dev.txt scripts/bootstrap.sh
	@VENV=$(VENV) sh scripts/bootstrap.sh

devcluster-build: $(VENV)/ok  ## build what the test cluster is made of (once per version)
	@$(PY) -m devcluster build

devcluster-up devcluster-down devcluster-purge devcluster-status: $(VENV)/ok  ## the test cluster by hand
	@$(PY) -m devcluster $(@:devcluster-%=%)

clean:  ## stop and remove what the commands above started and made; caches stay (make clean-cache)
	@[ ! -x $(PY) ] || $(PY) -m devcluster purge
	@rm -rf $(VENV) $(VENV).uv demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
