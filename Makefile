# Two targets are all a newcomer needs; both make their own environment in .venv with nothing but Python >= 3.11.
#   make demo   a cluster on this machine, MAIN killed 20 times under load, and the proof that nothing was lost
#   make test   format, lint, types, import contracts and the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
PYTEST := $(BIN)/pytest
KUBE := tests/kube tests/kube_daemon tests/chart tests/e2e/kube
# Two files of tests at a time: most tests wait for processes more than they compute. JOBS=n for more, JOBS=0 for one.
JOBS := 2
JOINTLY := --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test slow matrix fuzz e2e kube-up kube-down soak bench docs format clean
.DEFAULT_GOAL := help

help:
	@sed -n '2,3s/^#   //p' Makefile

$(RUN): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("memgraph-ha needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Give another: make PYTHON=python3.12 ...")'
	@echo "making the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $(RUN)

$(DEV): $(RUN)
	@echo "adding what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(DEV)

demo: $(RUN)
	@$(BIN)/memgraph-ha demo

test: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST) $(JOINTLY)

# Minutes, not seconds: CI runs them after `test`.
slow: $(DEV)
	$(PYTEST) $(JOINTLY) -m "slow and not matrix and not kube"

# Every scenario of the catalogue that real processes can play, one at a time, about half an hour; then long searches.
matrix: $(DEV)
	$(PYTEST) -m "slow and not kube" tests/e2e
	$(PYTEST) -m matrix tests/sim

# A real Kubernetes on this machine (root, Debian): built once, for some minutes, then there in seconds.
kube-up: $(DEV)
	@$(BIN)/python -m tools.kube up

kube-down: $(DEV)
	@$(BIN)/python -m tools.kube down

# Everything that needs Kubernetes, on the cluster that KUBECONFIG names (of kube-up), or on one of its own; at the end
# what breaks the cluster itself.
e2e: $(DEV)
	@$(BIN)/python -m tools.kube prepare
	$(PYTEST) $(JOINTLY) -m "kube and not alone" $(KUBE)
	$(PYTEST) -m "kube and alone" $(KUBE)

# About half an hour: 200 faults drawn by lot; SEED=n repeats a run, FAULTS=n shortens it.
soak: $(RUN)
	@$(BIN)/memgraph-ha soak --faults $(or $(FAULTS),200) $(if $(SEED),--seed $(SEED))

# Random lives on every core: RUNS=n how many, SEED=n where they begin; what breaks a promise is shrunk to a scenario.
fuzz: $(RUN)
	@$(BIN)/memgraph-ha sim fuzz --runs $(or $(RUNS),2000) --seed $(or $(SEED),0)

bench: $(DEV)
	$(BIN)/python bench/decide.py
	$(BIN)/python bench/relay.py
	$(BIN)/python bench/failover.py
	$(BIN)/python bench/switchover.py
	$(BIN)/python bench/trace.py
	$(BIN)/python bench/fuzz.py

docs: $(DEV)
	$(BIN)/python -m scripts.generate_docs
	$(BIN)/python -m scripts.conformance_table
	$(BIN)/python -m scripts.generate_api_docs
	$(BIN)/python -m scripts.generate_cli_docs
	$(BIN)/python -m scripts.generate_scenarios
	$(BIN)/python -m scripts.generate_trace_docs
	$(BIN)/python -m scripts.generate_chart_docs
	$(BIN)/python -m scripts.generate_environment_docs

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
