# `make` lists what there is. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA ?=
SLOW ?= slow
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Create .venv with the locked dependencies and the nba command

$(READY): requirements.lock pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	@touch $(READY)

demo: $(READY) ## The main job end to end on the built-in world, or the offline part on DATA=<folder>
	@$(BIN)/nba demo $(if $(DATA),--data "$(DATA)")

test: $(READY) ## All tests but the slow ones
	@$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(READY) ## The slow tests, among them ninety simulated days under nba learn
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "$(SLOW)"

lint: $(READY) ## Format, style, types, arrows between folders
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

check: lint test ## What CI runs

format: $(READY) ## Write the code as the formatter wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY) ## The benchmarks, one JSON line each
	@$(BIN)/nba bench

lock: $(READY) ## Resolve the dependencies again into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-header -o requirements.lock

up: $(READY) ## API and console on 8080, learner, triggers, and the MLflow UI on 5000, from ./demo
	@$(BIN)/python -P -m training.demo.up

clean: ## Remove what was built and what the demo wrote
	rm -rf $(VENV) build demo *.egg-info

.PHONY: help setup demo test test-slow lint check format bench lock up clean
