# The project's whole vocabulary: CI and the README use these words and no others.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
LOCK_COMMAND := $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" --quiet --output-file requirements.lock

.DEFAULT_GOAL := help
.PHONY: help install demo test test-system check format lock docs bench study soak clean

help: ## Say what each word does
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

install: $(INSTALLED) ## Make .venv from requirements.lock, with songform in it

# uv installs the lock ten times as fast as pip; its own lines of the lock bring it in, so that every
# downloaded byte is checked against a hash. --python keeps it away from another active environment.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## Compose, download, analyse and judge a small playlist, all on this machine
	$(BIN)/songform demo

# In the order of their folders, the slow files of tests/flows come first, and the quick ones fill up the end.
test: install ## Run the tests that need nothing but the lock
	$(BIN)/python -m pytest -m "not system" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-system: install ## Run the tests that need Debian's packages, minutes or a cluster (each says what)
	$(BIN)/python -m pytest -m system -rs

check: install ## Format, lint, types of all three floors, and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layering.py

format: install ## Put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## Compile requirements.lock anew from pyproject.toml
	$(LOCK_COMMAND)

docs: install ## Build the documentation in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: install ## Measure speed and memory as ratios; on another song: make bench SONG=FILE
	$(BIN)/python -m benchmarks $(if $(SONG),"$(SONG)")

study: install ## Measure how true the states are; with people's labels: make study CORPUS=FOLDER (some minutes)
	$(BIN)/python -m benchmarks.study $(if $(CORPUS),"$(CORPUS)")

soak: install ## Ingest a playlist that fails in every way, killed five times; count what is off (some minutes)
	$(BIN)/python -m benchmarks.soak

clean: ## Remove .venv and what the tools left behind
	rm -rf .venv docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
