# All commands for developing songform; CI and the README use these targets.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
LOCK_COMMAND := $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" --quiet --output-file requirements.lock

.DEFAULT_GOAL := help
.PHONY: help install demo test test-system check format lock docs bench study soak fuzz study-models train-beats train-sections pretrained clean

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

install: $(INSTALLED) ## Create .venv from requirements.lock, and install songform in it (editable)

# uv installs the packages ten times as fast as pip. pip first installs uv with the hashes of the lock, so that every
# download is verified. --python makes uv ignore another active environment.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## Run the whole pipeline on composed songs from a local feed (1 to 2 minutes)
	$(BIN)/songform demo

# Many tests wait for servers, so three processes are faster than two even on two cores.
# Without reordering, the slow files of tests/flows start first, and the fast ones fill the remaining time.
test: install ## Run the tests that need only the installed packages
	$(BIN)/python -m pytest -m "not system" --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-system: install ## Run the tests that need Debian packages, minutes or a cluster (each file names its needs)
	$(BIN)/python -m pytest -m system -rs

check: install ## Check format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layering.py

format: install ## Format the code, and fix lint errors where possible
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## Compile requirements.lock from pyproject.toml
	$(LOCK_COMMAND)

docs: install ## Build the documentation in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: install ## Run the benchmarks of speed and memory; on another song: make bench SONG=FILE
	$(BIN)/python -m benchmarks $(if $(SONG),"$(SONG)")

study: install ## Measure the accuracy of the states (some minutes); with people's labels: make study CORPUS=FOLDER
	$(BIN)/python -m benchmarks.study $(if $(CORPUS),"$(CORPUS)")

study-models: install ## Measure networks and baselines on known states (about an hour; needs FluidSynth)
	$(BIN)/python -m benchmarks.study.models $(if $(CORPUS),"$(CORPUS)")

train-beats: install ## Train the beat network on songs with known beats (minutes): make train-beats CORPUS=FOLDER
	$(BIN)/python -m training.train_beats $(CORPUS) $(if $(HELD_OUT),--held-out $(HELD_OUT))

train-sections: install ## Train the boundary networks on songs with people's labels: make train-sections CORPUS=FOLDER
	$(BIN)/python -m training.train_sections $(CORPUS) $(if $(HELD_OUT),--held-out $(HELD_OUT))

pretrained: install ## Train the model that is shipped with songform (half an hour; needs FluidSynth)
	$(BIN)/python -m training.train_pretrained

soak: install ## Ingest a playlist with all kinds of failures, and kill the program five times (some minutes)
	$(BIN)/python -m benchmarks.soak

fuzz: install ## Ingest 10,000 damaged files of all containers (some minutes): make fuzz SEED=n COUNT=n
	$(BIN)/python -m benchmarks.fuzz $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

clean: ## Remove .venv, and the caches and outputs of tools
	rm -rf .venv docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
