# make run    install what is missing, then the main job: the 32-shard reparent storm (ARGS="--shards 8" changes it)
# make test   install what is missing, then every test, with small processes and with real clusters
# make check  format, lint, types, layers, unit and golden tests; no process, no cluster, under a minute
# make test-kubernetes  set up a Kubernetes of one node (root, Linux), test the kubernetes backend on it, remove it
# make lane-up, lane-down  the same Kubernetes for work by hand
# make bench  measure the figures; one line each, and bench.json

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
ARGS ?=
# compiled modules are kept, whatever the environment says: else every worker and every child compiles them anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-kubernetes lane-up lane-down software check unit types style layers bench format clean

run: $(STAMP)
	$(BIN)/vtchaos run reparent/storm $(ARGS)

test: check software
	$(BIN)/pytest tests/process -q -p no:cacheprovider -n auto
	$(BIN)/pytest tests/faults tests/cluster -p no:cacheprovider --timeout 900

test-kubernetes: $(STAMP)
	@$(BIN)/python -m ci.lane may; code=$$?; test $$code -ne 77 || exit 0; \
	test $$code -eq 0 && $(MAKE) software && $(BIN)/python -m ci.lane test

lane-up: $(STAMP)
	$(BIN)/python -m ci.lane up

lane-down: $(STAMP)
	$(BIN)/python -m ci.lane down

# before the tests, so that no test waits for a build
software: $(STAMP)
	$(BIN)/python -m clusters.software install --mysql --etcd --nft --toxiproxy --vitess 24.0.3 --programs vtgate,vttablet,vtctld,vtorc
	$(BIN)/python -m clusters.software install --vitess 21.0.2 --programs vtgate
	$(BIN)/python -m clusters.software install --vitess 23.0.5 --programs vtgate,vttablet,vtctld

# two at a time, each one's words in one piece; the longest first
check: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going unit types style layers

unit: $(STAMP)
	$(BIN)/pytest tests/unit tests/golden -q -p no:cacheprovider -n auto

types: $(STAMP)
	$(BIN)/mypy

style: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

layers: $(STAMP)
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	$(BIN)/python -m ci.bench $(ARGS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vtchaos needs Python 3.11 or later; make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs bench.json
