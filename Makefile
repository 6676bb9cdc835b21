# Every target makes and uses .venv by itself, with uv where it is there, else with python3 and pip.
# With CI=true it installs exactly what requirements.lock says.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements.lock
UV := $(shell command -v uv 2>/dev/null)
# The first Python on PATH that is new enough; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
# More for pytest: make test ARGS="-k dedupe"
ARGS ?=
# Test processes: the suite waits for half of its time, and each has a broker of its own. Four fill two cores.
PROCESSES ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup test faults faults-selfcheck fuzz lint format bench quality demo audit secrets sbom docs lock clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 28

setup: $(STAMP) ## Make .venv and install Spillway with its development tools

test: $(STAMP) ## Run every test, on a real Kafka
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile $(ARGS)

# Some of it: make faults ARGS="--only zombie --seed 7"
faults: $(STAMP) ## Break everything, twenty minutes long, and check that nothing is lost
	@$(BIN)/python -m tests.faults $(ARGS)

faults-selfcheck: $(STAMP) ## Switch each protection off and check that the fault suite notices
	@$(BIN)/python -m tests.faults --selfcheck $(ARGS)

# make fuzz ARGS="--adapter zabbix --seed 7"
fuzz: $(STAMP) ## Damage the samples of all feeds 100,000 times and check that nothing crashes or is lost
	@$(BIN)/python -m tests.fuzz $(ARGS)

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Measure everything briefly and compare with the bars; ARGS="--full" for long runs
	$(BIN)/python -m benchmarks $(ARGS)

# make quality QUALITY_DATA=/data/correlation; docs/quality.md says where the data comes from.
quality: $(STAMP) ## Measure the correlation on test worlds and real faults, and compare with the bars
	@$(BIN)/python -m benchmarks.quality --test --publish $(ARGS)

demo: $(STAMP) ## Play three real-life failures through a real Kafka
	@$(BIN)/spillway demo

audit: $(STAMP) ## Ask the advisory service about every locked package
	@$(BIN)/python -m tools.audit

secrets: $(STAMP) ## Look for credentials in the repository
	@$(BIN)/python -m tools.credentials $(ARGS)

sbom: $(STAMP) ## Write the bill of parts of the lock, CycloneDX, to .spillway/sbom.json
	@mkdir -p .spillway
	$(BIN)/python -m cyclonedx_py requirements $(LOCK) --of JSON -o .spillway/sbom.json

docs: $(STAMP) ## Build the documentation as a site, in .spillway/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)

lock: $(STAMP) ## Resolve requirements.lock anew
	test -n "$(UV)" || $(BIN)/python -m pip install --quiet uv
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile pyproject.toml --extra embedded --group dev --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file $(LOCK)

clean: ## Remove .venv, caches and local data
	rm -rf $(VENV) .spillway .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find pipeline tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Dependency groups need pip 25.1, which is newer than what some Pythons bring.
$(STAMP): pyproject.toml $(LOCK)
	@test -n "$(UV)$(PYTHON)" || { echo "Spillway needs Python 3.11 or later: install it, or uv" >&2; exit 1; }
ifneq ($(UV),)
	test -x $(BIN)/python || uv venv --quiet --python '>=3.11' $(VENV)
ifeq ($(CI),true)
	uv pip install --quiet --python $(BIN)/python --require-hashes -r $(LOCK)
	uv pip install --quiet --python $(BIN)/python --no-deps -e .
else
	uv pip install --quiet --python $(BIN)/python -e '.[embedded]' --group dev
endif
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
ifeq ($(CI),true)
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps -e .
else
	$(BIN)/python -m pip install --quiet -e '.[embedded]' --group dev
endif
endif
	@touch $@
