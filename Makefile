# Everything from a clean clone with Python 3.11, Node 20 and make: `make run`, `make test`.
# What was done is remembered by stamps below .venv and web/node_modules, so that a second time costs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
UV := .tools/uv/bin/uv
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
COVERED := not (stress or browser or nats or autobahn or fuzz)
# Tests wait a good part of their time, those in a browser too.
TWO_AT_A_TIME := -n 2 --dist worksteal
BUILT := src/missioncontrol/server/web
# What uv links is copied instead where the cache lies on another file system.
export UV_LINK_MODE ?= copy
export UV_PYTHON_DOWNLOADS := never

PYTHON_STAMP := .venv/.synced
NODE_STAMP := web/node_modules/.installed
WEB_STAMP := $(BUILT)/index.html
CLAUDE_VERSION := 2.1.332
CLAUDE_STAMP := .tools/claude/.$(CLAUDE_VERSION)
WEB_SOURCES = $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/coverage/*' -not -path 'web/client-package/*' 2>/dev/null) $(wildcard src/missioncontrol/events/*.json)

.PHONY: help setup run test check format lint types contracts unit process nats browser gallery proxies terminals claude autobahn stress bench fuzz coverage \
        web web-check web-unit catalogue commands art chromium clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(PYTHON_STAMP) $(WEB_STAMP)  ## everything needed: .venv/bin/mission-control with the web build in it

run: setup  ## the server over a simulated fleet, in the foreground
	exec $(BIN)/mission-control demo

test: setup chromium proxies terminals  ## everything that CI runs
	$(MAKE) --no-print-directory format-check lint types contracts web-check web-unit
	$(PYTEST) -m "not stress and not browser" $(TWO_AT_A_TIME)
	$(PYTEST) -m "browser and not stress" $(TWO_AT_A_TIME)

check: $(PYTHON_STAMP) $(NODE_STAMP)  ## the quick part: form, lint, types, contracts, unit tests
	$(MAKE) --no-print-directory format-check lint types contracts web-check web-unit unit

# Tools and packages

$(UV):
	$(PYTHON) -m venv .tools/uv
	.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(PYTHON_STAMP): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --python $(PYTHON)
	@touch $@

$(NODE_STAMP): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

$(WEB_STAMP): $(NODE_STAMP) $(WEB_SOURCES)
	cd web && npm run build
	@touch $@

web: $(WEB_STAMP)  ## build the browser client and the dashboard into the package

catalogue: $(PYTHON_STAMP)  ## the types of events in TypeScript, from the server's catalogue
	$(BIN)/python web/scripts/catalogue.py

commands: $(PYTHON_STAMP)  ## the reference page of the commands, from the commands themselves
	$(BIN)/python scripts/commands.py

art: $(PYTHON_STAMP)  ## the office's pictures, drawn again
	$(BIN)/python web/art/make.py

chromium:  ## Debian's Chromium for the browser tests, where there is none
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || { \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$run apt-get update -qq && $$run apt-get install -y -qq --no-install-recommends chromium; \
	}

terminals:  ## Debian's tmux, zsh and fish for the tests in a terminal, where there are none
	@command -v tmux >/dev/null 2>&1 && command -v zsh >/dev/null 2>&1 && command -v fish >/dev/null 2>&1 || { \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$run apt-get update -qq && $$run apt-get install -y -qq --no-install-recommends tmux zsh fish; \
	}

claude: $(CLAUDE_STAMP)  ## the real Claude Code for tests/process/test_real_claude.py, which is left out without it

$(CLAUDE_STAMP):
	npm install --prefix .tools/claude --no-audit --no-fund --loglevel error @anthropic-ai/claude-code@$(CLAUDE_VERSION)
	@touch $@

proxies:  ## Debian's nginx and Caddy for the tests behind a proxy, where there are none; nothing is started
	@{ command -v nginx || test -x /usr/sbin/nginx; } >/dev/null 2>&1 && command -v caddy >/dev/null 2>&1 || { \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$run apt-get update -qq && \
	  $$run env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light caddy; \
	}

# Form and types

.PHONY: format-check
format: $(PYTHON_STAMP) $(NODE_STAMP)  ## put the sources into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd web && npm run format

format-check: $(PYTHON_STAMP)
	$(BIN)/ruff format --check .

lint: $(PYTHON_STAMP)  ## ruff's rules
	$(BIN)/ruff check .

types: $(PYTHON_STAMP)  ## mypy, strictly
	$(BIN)/mypy

contracts: $(PYTHON_STAMP)  ## imports go downward only
	$(BIN)/lint-imports

web-check: $(NODE_STAMP)  ## form, lint and types of the TypeScript sources
	cd web && npm run check

# Documentation

.PHONY: site site-serve
site: $(PYTHON_STAMP)  ## the documentation as a site, in build/site; every link must lead somewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

site-serve: $(PYTHON_STAMP)  ## the same, served on this machine while it is being written
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

# Tests

unit: $(PYTHON_STAMP)  ## tests without processes of their own
	$(PYTEST) -m "not (process or browser or autobahn or nats or stress or fuzz)" $(TWO_AT_A_TIME)

web-unit: $(NODE_STAMP)  ## tests of the TypeScript sources
	cd web && npm test

process: setup proxies terminals  ## the promise, with real server processes
	$(PYTEST) -m "process and not stress"

nats: setup proxies  ## several nodes, with real NATS servers
	$(PYTEST) -m "nats and not stress"

browser: setup chromium  ## the client and the dashboard in real Chromium
	$(PYTEST) -m "browser and not stress"

gallery: setup chromium  ## pictures of every view, to be looked at, in gallery/
	$(BIN)/python tests/browser/gallery.py

autobahn: setup  ## every case of the Autobahn fuzzing client against the WebSocket
	MISSION_CONTROL_AUTOBAHN=all $(PYTEST) -m "autobahn and not stress"

stress: setup  ## long runs
	$(PYTEST) -m stress --timeout 3600

# As in `make fuzz MINUTES=10 SEED=4711 READERS="hooks mcp"`; without SEED another one each time, which is shown.
MINUTES ?= 60
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
READERS ?=

fuzz: setup  ## hostile input for every reader, for an hour (MINUTES=, SEED=, READERS=)
	@seed=$(SEED); echo "seed $$seed; findings go to build/fuzz"; \
	MISSION_CONTROL_FUZZ_SEED=$$seed MISSION_CONTROL_FUZZ_SECONDS=$$(($(MINUTES) * 60)) \
	MISSION_CONTROL_FUZZ_READERS="$(READERS)" $(PYTEST) tests/fuzz -m fuzz $(TWO_AT_A_TIME) --timeout 7200

coverage: setup proxies terminals  ## lines and branches that tests reach, in servers too, and modules that no test names
	rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m coverage run -m pytest -m "$(COVERED)" $(TWO_AT_A_TIME)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage html --quiet
	$(BIN)/python scripts/unnamed.py
	$(BIN)/python -m coverage report

bench: setup  ## the benchmarks, against their peers in the same run
	$(BIN)/python -m benchmarks.fanout

clean:  ## remove everything that was made
	rm -rf .venv .tools build dist $(BUILT) web/node_modules web/coverage benchmarks/build benchmarks/node_modules \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
