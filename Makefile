# Everything a person or a build server does with this project. `make help` lists it.
# Each target does its own set-up: all it needs is make and Python 3.11 to 3.13 with venv.

SHELL := /bin/sh
PYTHON ?= python3
PY := .venv/bin/python
PYTEST_ARGS ?=
LANES ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup lock lock-clients check test test-clients soak demo up down traffic screenshots

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Create .venv and install requirements.lock into it (quick when nothing changed)
	@PYTHON="$(PYTHON)" sh quickstart/install.sh

lock: ## Compile requirements.lock, with hashes, from requirements.txt
	@PYTHON="$(PYTHON)" sh quickstart/install.sh tools
	.tools/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" requirements.txt -o requirements.lock

lock-clients: ## Compile the locks of the clients that `make test-clients` runs, with hashes
	@PYTHON="$(PYTHON)" sh quickstart/install.sh tools
	for client in airflow awscli boto3 sagemaker sagemaker-core; do \
		.tools/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
			--custom-compile-command "make lock-clients" tests/clients/$$client/requirements.in \
			-o tests/clients/$$client/requirements.lock || exit 1; \
	done

check: setup ## Lint, formatting, types, import contracts, architecture tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q tests/architecture

test: setup ## Run every test, in LANES=3 lanes (the full matrices are in `make soak`)
	$(PY) -m pytest $(if $(filter-out 1,$(LANES)),-n $(LANES)) $(PYTEST_ARGS)

test-clients: setup ## Run unmodified AWS clients against the local SageMaker, each from its own lock
	$(PY) -m tests.clients.run

soak: setup ## Run every test with the full matrices, for hours; PYTEST_ARGS="--slice 3/24" runs a part
	$(PY) -m pytest --soak $(PYTEST_ARGS)

demo: setup ## Run the rollouts of the demonstration on a local SageMaker and a real Airflow
	@$(PY) -m quickstart.demo

up: setup ## Start the local SageMaker and Airflow, and leave them running
	@$(PY) -m quickstart.project up

down: ## Stop what `make up`, or a demo that died, left running
	@if [ -x $(PY) ]; then $(PY) -m quickstart.project down; else echo "Nothing was ever started here."; fi

traffic: setup ## Send live traffic to the churn endpoint of `make up`, until Ctrl-C
	@$(PY) -m quickstart.traffic

screenshots: setup ## Take the pictures of docs/images, of a rollout on the project of `make up`
	@$(PY) -m quickstart.screenshots
