# Everything a person types. Each target makes what it needs from nothing.
# Variables: PORT (8000), DATA (.data), DATABASE_URL (use this server), VCENTER=none (no lab), PYTHON (the system's python3)
.DEFAULT_GOAL := help
.PHONY: help demo run installer release test check lab chaos bench format clean
MAKEFLAGS += --no-print-directory
DATA ?= .data
bin := .venv/bin

help: ## Say what can be typed
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: ## The whole portal with a simulated vCenter; Ctrl-C ends it. PORT=8000 DATA=.data VCENTER=none
	@scripts/setup demo
	@exec $(bin)/python -m tests.lab.demo

run: ## The same for development: pages reload when a file changes
	@scripts/setup demo
	@exec $(bin)/python -m tests.lab.demo --reload

installer: ## Deploy the gateway installer into the running demo: PAIRING_CODE=... NAME=...
	@scripts/setup demo
	@$(bin)/python -m tests.lab.installer --data "$(DATA)" --pairing-code "$(PAIRING_CODE)" $(if $(NAME),--name "$(NAME)")

release: ## Publish the next gateway release in the running demo, to upgrade a gateway to
	@scripts/setup demo
	@$(bin)/python -m tests.lab.release

test: ## Everything: checks, unit, integration, lab, browser, chaos
	@scripts/setup dev
	@scripts/test

check: ## The quick part: format, lint, types, floors, migrations, templates, generated docs
	@scripts/setup dev
	@scripts/check

lab: ## Tests against the vCenter simulator
	@scripts/setup dev
	@$(bin)/pytest -q tests/lab

chaos: ## Kill processes at random for some minutes: SECONDS=300
	@scripts/setup dev
	@CHAOS_SECONDS=$(or $(SECONDS),300) $(bin)/pytest -q tests/chaos

bench: ## Measure: all, or ONLY=provision|stream|resume|claims|lists|...
	@scripts/setup dev
	@$(bin)/python -m tests.benchmarks $(ONLY)

format: ## Rewrite code and templates as the checks want them
	@scripts/setup dev
	@$(bin)/ruff check --quiet --fix . ; $(bin)/ruff format .
	@find templates -name '*.html' -exec $(bin)/djade --target-version 5.2 {} + -exec $(bin)/djhtml --tabwidth 2 {} +

clean: ## Delete the data folder, the virtual environment and caches
	@rm -rf "$$(readlink -f "$(DATA)/postgres/elsewhere")" "$(DATA)"
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
