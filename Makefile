# Everything needs only python3 (3.11 or newer) and make; tools live in .venv at locked versions.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
FUZZ ?= adara

.PHONY: help demo test test-system check bench docs fuzz lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(STAMP): requirements.lock requirements-dev.lock pyproject.toml
	@echo "setting up .venv: half a minute"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## simulator, daemon and page in one command
	$(BIN)/livereduce demo $(DEMO_ARGS)

test: $(STAMP)  ## fast tests: no browser, no long runs
	$(BIN)/python -m pytest -q -m "not system" $(TEST_ARGS)

test-system: $(STAMP)  ## real processes, faults, browser
	$(BIN)/python -m pytest -q -m system $(TEST_ARGS)

check: $(STAMP)  ## lint, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/architecture
	$(BIN)/python scripts/pages.py --check

bench: $(STAMP)  ## speed as ratios to a C yardstick built in the same run
	$(BIN)/python -m benchmarks

docs: $(STAMP)  ## the generated pages: references, quoted examples
	$(BIN)/python scripts/pages.py

fuzz: $(STAMP)  ## coverage-guided fuzzing of a decoder (FUZZ=adara or isis, FUZZ_ARGS=-max_total_time=60)
	$(BIN)/python -m pip install --quiet "atheris>=2.3"
	$(BIN)/python tests/fuzz/fuzz_$(FUZZ).py $(FUZZ_ARGS)

lock:  ## pin the newest versions that fit (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml --extra plot --extra scipp --group dev requirements-build.in -o requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
