# `make` or `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Sets CGO_CFLAGS, CGO_LDFLAGS and MG_… for what links native libraries.
NATIVE := eval "$$(scripts/native.sh env)"

# Arguments of `make run`, of the programs of `make bench` and of `make models-eval`; packages and flags of `make test`.
ARGS ?=
PKG ?= ./...
TESTFLAGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build all that is needed, and serve (ARGS="--config FILE …")
	@exec bin/modelgateway serve $(ARGS)

.PHONY: build
build: ## Build bin/modelgateway and bin/engine-*
	@scripts/build.sh

.PHONY: native
native: ## Find or fetch the native libraries that engines link
	@scripts/native.sh

.PHONY: test
test: build ## Run all tests with the race detector (PKG=./server/… TESTFLAGS="-run X")
	@scripts/test.sh $(TESTFLAGS) $(PKG)

.PHONY: test-short
test-short: ## Run the Go tests of PKG at once: no race detector, no build of bin/
	@$(NATIVE); go test -short $(TESTFLAGS) $(PKG)

.PHONY: generate
generate: ## Regenerate gen/ from proto/
	@scripts/generate.sh .

.PHONY: lint
lint: ## Check format, code, import rules, protos, scripts, and that gen/ is current
	@scripts/lint.sh

.PHONY: bench
bench: build ## Measure chat and speech beside their peers, overhead, start, memory, cancels (choose by ARGS)
	@scripts/bench.sh $(ARGS)

.PHONY: models-eval
models-eval: ## Measure the starter models on held-out data against their targets (ARGS="--only chat", --help)
	@exec scripts/models-eval.sh $(ARGS)

.PHONY: clean
clean: ## Remove what was built; the caches outside the clone stay
	rm -rf bin build
