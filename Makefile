# What a person types and what the workflows run. `make help` lists it. Needs Python 3.11 or newer, git and make; uv comes from PyPI.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
UV := template/scripts/uv.sh
# The Python that is here: where GitHub cannot be reached uv has none to fetch.
run = $(UV) run --quiet --locked --group bench --no-python-downloads --python "$$(command -v $(1))"
RUN = $(call run,$(PYTHON))
# Times are those of a Python as users have it: pyenv's is built without optimisation and takes a quarter more, the system's is not.
OPTIMISED := $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3)
MEASURE = $(if $(OPTIMISED),UV_PROJECT_ENVIRONMENT=.venv-bench $(call run,$(OPTIMISED)),$(RUN))
# tests/conftest.py says which tests go to which of the two processes.
PYTEST = $(RUN) pytest -n 2
# What measures runs first and alone.
run-all = $(MEASURE) pytest --quiet $(1) tests/bench && $(PYTEST) $(1) --ignore=tests/bench

.PHONY: help
help: ## this list
	@sed -En 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: python ## copy, check, build and start a project with every target (DEMO_SECONDS=30: ends by itself; DEMO_DIR=folder)
	@$(PYTHON) scripts/demo.py

.PHONY: demo-gitea
demo-gitea: python ## a release: a Gitea and a runner, a project with every target pushed to it, and its tag (DEMO_SECONDS=30)
	@$(RUN) python -m scripts.demo_gitea

.PHONY: test
test: lint ## everything, long series sampled (PYTEST_ARGS="-k docker")
	@$(if $(PYTEST_ARGS),$(PYTEST) $(PYTEST_ARGS),$(call run-all))

.PHONY: test-fast
test-fast: python ## questions, rendering and hooks, in less than 90 s
	@$(PYTEST) -m "not slow" tests/questions tests/render tests/hooks tests/scripts tests/docs tests/demo $(PYTEST_ARGS)

.PHONY: test-all
test-all: lint ## everything, long series whole: some two hours
	@$(if $(PYTEST_ARGS),$(PYTEST) --series=all $(PYTEST_ARGS),$(call run-all,--series=all))

.PHONY: check
check: lint test-fast ## what to run before a commit

.PHONY: lint
lint: python ## format, lint and types of the template's own files
	@$(RUN) pre-commit run --all-files

.PHONY: bench
bench: python ## speed, side by side with what one would pick instead (BENCH_ARGS="--json bench.json")
	@$(MEASURE) python -m bench $(BENCH_ARGS)

.PHONY: release
release: python ## tag a version of the template and push the tag, which makes the release (VERSION=1.2.3, or minor, patch ...)
	$(if $(value VERSION),,@echo "say which: make release VERSION=1.2.3, or VERSION=minor" >&2; exit 2)
	@$(UV) run --quiet --no-python-downloads --python "$$(command -v $(PYTHON))" --script scripts/release.py tag "$$VERSION"

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed and $(PYTHON) is not: install one, or name it: make PYTHON=python3.13 ..." >&2; exit 1; }
