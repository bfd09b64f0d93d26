# make serve    install, build catalog.db from the bundled sample, serve it on http://127.0.0.1:8001
# make test     what CI runs: lint and all tests
#
# Needs Python 3.10 or newer, make and git; everything else goes into .venv.
# Another Python: make PYTHON=python3.12 serve.  Other sources: make SOURCES=../cache serve.
# Another port: make PORT=8080 serve.

PYTHON ?= python3
SOURCES ?= examples/site examples/indexes
SCALES ?= 10000,100000
PORT ?= 8001

BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := serve
.PHONY: serve build test test-next lint docs pictures bench clean tools

serve: build
	@$(BIN)/spack-catalog serve --port $(PORT)

build: $(INSTALLED)
	@$(BIN)/spack-catalog build $(SOURCES)

# As many processes as there are cores; what one test file shares is built in one of them.
test: lint tools
	@$(BIN)/pytest -q -n auto --dist loadfile

# The site with the newest Datasette, alphas included; this may fail, and CI reports it.
test-next:
	@$(PYTHON) -m venv .venv-next
	@.venv-next/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@.venv-next/bin/python -m pip install --quiet --disable-pip-version-check --pre --upgrade 'datasette>=1.0a0'
	@.venv-next/bin/python -c 'from importlib.metadata import version; print("datasette", version("datasette"))'
	@timeout --signal=INT --kill-after=20 240 .venv-next/bin/pytest -q -n auto --dist loadfile --no-header -p no:cacheprovider --tb=no -rf tests/datasette

lint: $(INSTALLED)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/cog --check README.md

docs: $(INSTALLED)
	@$(BIN)/cog -r README.md

# The screenshots of the README, taken by the tests that walk through the site.
pictures: $(INSTALLED) tools
	@PICTURES=docs/images $(BIN)/pytest -q tests/browser/test_walks.py

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks.build --scales $(SCALES)

clean:
	@rm -rf .venv .venv-next build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@rm -f catalog.db* inspect.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Tests that need a browser or nginx are skipped where there is none.
tools:
	@.ci/tools
	@.ci/axe

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, not %d.%d: make PYTHON=python3.x ..." % sys.version_info[:2] if sys.version_info < (3, 10) else 0)'
	@echo "installing into .venv, which takes a minute"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
