# Everything runs from a clean clone on Debian 12 or later as root; `make help` lists the commands.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: demo
demo: .venv/ready ## record a real meeting on a real Kubernetes on this machine, from nothing
	@$(RUN) tests.local.demo

# Whoever starts Python a thousand times compiles it once.
test: export PYTHONDONTWRITEBYTECODE :=
# API servers, kubectl and Helm are Go programs, and collect garbage for a tenth of their time; memory is not short here.
test: export GOGC := 400

.PHONY: test
test: .venv/ready ## every test but the hour-long ones: unit, API server, Chromium, whole cluster
	@$(RUN) tests.local.machine.packages
	@# What takes minutes to build for the first time is built here, where no test's time-out runs, and beside the linters.
	@$(MAKE) --no-print-directory --jobs 3 lint test-modules test-prerequisites
	@$(RUN) tests.local.suite

.PHONY: soak
soak: .venv/ready ## the hour-long tests: each platform × each form of its pages × all that can follow Join; an hour of talk
	@$(RUN) tests.local.machine.packages
	@$(RUN) pytest -m soak --durations 20 tests/bot

# Compiled once, beside what else is prepared, instead of in each of the processes that run the tests.
.PHONY: test-modules
test-modules: .venv/ready
	@found=$$($(RUN) pytest --collect-only --quiet 2>&1) || { tail -n 40 <<< "$$found"; exit 1; }

.PHONY: test-prerequisites
test-prerequisites: .venv/ready
	@$(RUN) tests.local.api_clients
	@$(RUN) tests.local.kstatus
	@$(RUN) tests.local.cluster up
	@$(RUN) tests.local.cluster images
	@$(RUN) tests.local.meetings.livekit up

.PHONY: test-unit
test-unit: .venv/ready ## the quick part (on Debian, as root: it installs what the others need, too)
	@$(RUN) tests.local.machine.packages
	@$(RUN) pytest tests/unit

.PHONY: cluster
cluster: .venv/ready ## the local cluster alone; .cluster/kubeconfig points to it
	@$(RUN) tests.local.cluster up

.PHONY: cluster-down
cluster-down: .venv/ready ## stop the local cluster (and the local meeting) and remove what it made
	@$(RUN) tests.local.meetings.livekit down
	@$(RUN) tests.local.cluster down

.PHONY: images
images: .venv/ready ## build the images; REGISTRY=… PUSH=1 for a registry of your own, TAG=…, MODEL=… for another speech model
	@$(RUN) tests.local.cluster images

.PHONY: bench
bench: .venv/ready ## print the figures beside their baselines; ONLY=… picks a section
	@$(RUN) tests.local.machine.packages
	@$(RUN) tests.local.bench $(ONLY)

.PHONY: lint
lint: .venv/ready ## formatting, types, import contracts, generated files
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 4
	@$(RUN) meeting_buddy.resource.generate --check

.PHONY: format
format: .venv/ready ## format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: generate
generate: .venv/ready ## write the CRD and the other generated files
	@$(RUN) meeting_buddy.resource.generate

.PHONY: lock
lock: .venv/ready ## resolve the requirements anew into hashed lock files
	@for part in operator,api:operator bot:bot-image dev:tests; do \
	  extras=$${part%%:*}; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links --extra $${extras//,/ --extra } pyproject.toml \
	    --output-file $${part#*:}/requirements.lock; done
	@cd tests/local/api_clients/python && $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --no-emit-find-links requirements.in \
	  --output-file requirements.lock

# The virtual environment follows its lock file; an interrupted installation is begun again.
.venv/ready: tests/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Meeting Buddy needs Python 3.11 or later; set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null \
	  || { echo "installing python3-venv (as root, on Debian)"; export DEBIAN_FRONTEND=noninteractive; \
	       apt-get --quiet update >/dev/null; \
	       apt-get -o DPkg::Lock::Timeout=600 install --yes --quiet python3-venv >/dev/null; \
	       $(PYTHON) -m venv .venv; }
	@echo "installing the Python packages of tests/requirements.lock"
	@# uv comes first and brings the rest in seconds, where pip takes a minute and a half.
	@sed -n '/^uv==/,/^[a-z]*[^ ].*==/{/^uv==/p;/^ /p}' tests/requirements.lock \
	  | $(BIN)/pip install --quiet --require-hashes --no-deps --requirement /dev/stdin
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement tests/requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
