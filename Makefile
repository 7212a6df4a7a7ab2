# Tartip: `make run` shows it, `make test` proves it. Everything lands in .venv, .triton and .tartip.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv/bin
MEMBERS := libs/vault libs/statements libs/chassis libs/host libs/audit_log libs/law libs/partners libs/vision infra/scenes infra/local infra/testing infra/bench partner-kit/client partner-kit/contract $(wildcard services/*)
export UV_LINK_MODE ?= copy
export UV_NO_PROGRESS ?= 1
# Trust whom the machine trusts: behind a company's proxy the tools' own lists do not suffice.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= 1
export NODE_USE_SYSTEM_CA ?= 1
export PIP_CERT ?= /etc/ssl/certs/ca-certificates.crt
endif

.PHONY: help setup proto models run test check figures unit journeys walks nightly training-tools training-smoke accuracy bench alerts who-sees-what errors lock release-contracts clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: .venv/.members proto models ## install everything the project needs, hash-checked

.venv/.python: infra/bootstrap/python.sh
	@infra/bootstrap/python.sh "$(PYTHON)"
	@touch $@

.venv/.synced: .venv/.python requirements.lock
	@echo "set-up: Python packages (requirements.lock)"
	@$(VENV)/uv pip sync --quiet --require-hashes --python $(VENV)/python requirements.lock
	@touch $@

.venv/.members: .venv/.synced $(addsuffix /pyproject.toml,$(MEMBERS)) $(shell find proto -name '*.proto' -o -name build.py)
	@$(VENV)/python proto/build.py
	@$(VENV)/uv pip install --quiet --no-deps --no-build-isolation --python $(VENV)/python \
	    $(addprefix -e ./,libs/contracts $(MEMBERS))
	@touch $@

proto: .venv/.synced ## build the typed stubs of proto/ into libs/contracts
	@$(VENV)/python proto/build.py

models: .venv/.members ## build Triton's environment and model store into .triton
	@$(VENV)/python infra/triton/build.py

run: setup ## the whole mesh on this machine, then the demonstration; Ctrl-C stops it
	@$(VENV)/tartip up --demo

test: setup check ## all the tests, on real parts, in two workers
	@$(VENV)/pytest -n 2 --no-loadscope-reorder --durations=10 --ignore=tests/tidy

check: .venv/.members ## format, lint, types, imports, contracts, proportions
	@$(VENV)/ruff format --check --quiet .
	@$(VENV)/ruff check --quiet .
	@$(VENV)/python infra/checks/strict.py
	@$(VENV)/lint-imports --no-logo
	@$(VENV)/buf lint proto
	@$(VENV)/buf breaking proto --against proto/released.binpb
	@$(VENV)/pytest tests/tidy
	@echo "check: format, lint, types, imports, contracts and proportions are in order"

figures: .venv/.members ## the proportions of the house; JSON=1, or MEDIANS=1 as docs/figures.toml holds them
	@$(VENV)/python tests/tidy/figures.py $(if $(JSON),--json) $(if $(MEDIANS),--medians)

unit: .venv/.members ## the pure rules alone, in seconds
	@$(VENV)/pytest libs/*/tests/unit services/*/tests/unit infra/*/tests/unit partner-kit/*/tests/unit

journeys: setup ## the two journeys on the whole mesh
	@$(VENV)/pytest tests/journeys tests/telemetry

walks: setup ## the files that a confirmation, report, frame and payment enter; ONLY=frame
	@$(VENV)/python tests/walks/walk.py $(ONLY)

nightly: setup ## the long tests: every part killed at every moment, other years, long films, both trainings
	@TARTIP_NIGHTLY=1 $(VENV)/pytest tests/chaos tests/years infra/triton/tests/test_training_smoke.py tests/partner_kit/test_sandbox.py
	@TARTIP_NIGHTLY=1 $(VENV)/pytest -m nightly services infra tests/journeys tests/telemetry

.triton/train/.synced: infra/triton/training/requirements.lock .venv/.python
	@echo "set-up: torch and its friends (about 3 GB), for training alone"
	@test -x .triton/train/bin/python || $(VENV)/python -m venv .triton/train
	@$(VENV)/uv pip sync --quiet --require-hashes --python .triton/train/bin/python $<
	@touch $@

training-tools: .triton/train/.synced ## install what training needs into .triton/train, hash-checked

training-smoke: .venv/.members ## both trainings in small (two minutes), where training-tools are
	@TARTIP_NIGHTLY=1 $(VENV)/pytest -rs infra/triton/tests/test_training_smoke.py

accuracy: setup ## figures on real pictures (TARTIP_PHOTOGRAPHS) into docs/ACCURACY.md; ONLY=faces
	@PYTHONPATH=infra/triton $(VENV)/python -m accuracy $(if $(ONLY),--only $(ONLY))

bench: setup ## speed, memory and endurance, each beside its bare counterpart, into docs/BENCH.md; ONLY=chassis
	@$(VENV)/tartip bench $(if $(ONLY),--only $(ONLY))

alerts: .venv/.members ## alert rules, dashboards and their handbook from infra/otel/objectives.yaml
	@$(VENV)/python -m tartip_cli.alerts

who-sees-what: .venv/.members ## docs/who-sees-what.md from docs/who-sees-what.yaml
	@$(VENV)/python tests/secrecy/table.py

errors: .venv/.members ## the catalogue of refusals for partners: docs/errors.md and the client's errors.json
	@$(VENV)/python proto/errors.py

lock: ## resolve the members' dependencies anew into requirements.lock
	@$(VENV)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	    --no-annotate --python-version 3.11 --group setup --group dev \
	    $(addsuffix /pyproject.toml,. $(MEMBERS)) -o requirements.lock
	@sed -i -E '/^(-e |\.\/|tartip-)/d' requirements.lock

release-contracts: .venv/.members ## the image that `buf breaking` guards; when a release is made
	@$(VENV)/buf build proto -o proto/released.binpb

clean: ## remove what was built; .tartip, the data, stays
	@rm -rf .venv .triton libs/contracts
