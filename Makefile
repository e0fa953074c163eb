# Every target that a person or CI needs. `make` alone prints this list.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO ?= cargo
CRATES := bailey-crds bailey-http1 bailey-link bailey-acme bailey-routing bailey-translate bailey-kit bailey-operator bailey-proxy bailey
FUZZ_SECONDS ?= 60
# One choice of packages and features for all that runs unoptimised: another one would compile every crate again.
TOGETHER := --workspace --all-features
# With a test among what is built, crates get the features that tests ask of them too, and are those of `make test`.
AS_TESTED := --test dependency_law
# Pages of docs/ that `bailey generate` prints.
PAGES := access-log cli diagnostics metrics

.PHONY: help
help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z0-9_-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:
	@.ci/setup

##@ Use
.PHONY: demo
demo: setup ## Run an outer tier and two tenants' inner tiers on this machine, from samples/two-tier
	$(CARGO) run --quiet --package bailey -- up samples/two-tier

.PHONY: build
build: setup ## Build all programs (debug)
	$(CARGO) build --workspace

.PHONY: release
release: setup ## Build bailey (also as kubectl-bailey) and bailey-proxy optimised, into target/release
	$(CARGO) build --release --package bailey --package bailey-proxy
	ln -sf bailey target/release/kubectl-bailey

##@ Check
.PHONY: test
test: setup ## Run every test but the slow ones
	$(CARGO) test $(TOGETHER) --quiet

.PHONY: check
check: setup fmt-check lint alone law generated ## What must be clean in every commit

.PHONY: slow
slow: setup h2spec ## Slower suites: h2spec, no request lost under edits and restarts, 1 GiB bodies in bounded memory, explanations
	BAILEY_PROPERTY_CASES=400 $(CARGO) test $(TOGETHER) --test explain agreement
	images/build quick
	BAILEY_PROXY=$(CURDIR)/target/x86_64-unknown-linux-gnu/quick/bailey-proxy $(CARGO) test $(TOGETHER) --test slow -- --ignored --test-threads=1

.PHONY: h2spec
h2spec: setup ## The HTTP/2 conformance suite against the outer tier's public port
	tests/h2spec/run

.PHONY: acme
acme: setup ## Certificates by ACME from Pebble, which is built from Go modules (BAILEY_ACME_NAMES=100 tries so many at one that refuses nine nonces of ten)
	BAILEY_ACME_PROGRAMS="$$(tests/cluster/build acme)" $(CARGO) test $(TOGETHER) --test acme -- --ignored --test-threads=1

.PHONY: page
page: setup ## The page on the admin port in a headless Chromium (needs Node.js)
	tests/page/run

.PHONY: telemetry
telemetry: setup ## Spans of both tiers at two receivers from PyPI: rotel, and one made with opentelemetry-proto
	tests/telemetry/run

.PHONY: sarif
sarif: setup ## What bailey analyze prints as SARIF, against the schema of SARIF 2.1.0 (needs Node.js)
	tests/sarif/run

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check:
	$(CARGO) fmt --all --check

.PHONY: lint
lint: ## Clippy over everything, warnings denied
	$(CARGO) clippy --workspace --all-targets --all-features --quiet -- --deny warnings

.PHONY: alone
alone: ## Check that each crate compiles by itself, so that each Cargo.toml is sufficient
	@for crate in $(CRATES); do $(CARGO) check --quiet --package $$crate || { echo "$$crate does not compile alone"; exit 1; }; done

.PHONY: law
law: ## The dependency law of docs/architecture.md
	$(CARGO) test $(TOGETHER) --quiet --test dependency_law

.PHONY: generated
generated: generators ## Fail when a generated file is out of date
	target/debug/crdgen --check
	@folder=$$(mktemp -d) && trap 'rm -r "$$folder"' EXIT && target/debug/bailey generate install --out "$$folder" \
	  && for file in $$(cd "$$folder" && find . -type f); do \
	    diff "$$folder/$$file" "$$file" >/dev/null || { echo "$$file is out of date; run make manifests"; exit 1; }; done
	@for page in $(PAGES); do target/debug/bailey generate $$page | diff - docs/$$page.md \
	  || { echo "docs/$$page.md is out of date; run make manifests"; exit 1; }; done

.PHONY: manifests
manifests: generators ## Write the generated files again
	target/debug/crdgen
	target/debug/bailey generate install --out .
	@for page in $(PAGES); do target/debug/bailey generate $$page > docs/$$page.md; done

.PHONY: generators
generators:
	$(CARGO) build $(TOGETHER) $(AS_TESTED) --quiet --bin bailey --bin crdgen

.PHONY: golden
golden: ## Rewrite the golden outputs under tests/golden (look at the diff)
	BAILEY_GOLDEN=write $(CARGO) test --quiet --package bailey-translate --test golden
	BAILEY_GOLDEN=write $(CARGO) test --quiet --package bailey-operator --test render

.PHONY: validate
validate: ## Check everything that is applied to a cluster against the schemas of the oldest and the newest Kubernetes
	tests/manifests/run

.PHONY: deny
deny: ## Licences, duplicate versions and sources of dependencies (needs cargo-deny)
	$(CARGO) deny --offline check bans licenses sources

.PHONY: fuzz
fuzz: ## Fuzz the codecs, FUZZ_SECONDS each (needs cargo-fuzz and a nightly toolchain)
	@for crate in http1 link acme; do for target in $$(cd crates/$$crate && cargo +nightly fuzz list); do \
	  (cd crates/$$crate && cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS)); done; done

##@ Kubernetes
.PHONY: image
image: setup ## Write the images of the proxy and the operator, as OCI archives, into target/images (images/Dockerfile does it by a container engine)
	images/build

.PHONY: cluster
cluster: ## Start a one-node Kubernetes in namespaces of its own (needs root); tests/cluster/README.md says what can be done with it
	tests/cluster/up

.PHONY: cluster-down
cluster-down: ## End it and leave nothing
	tests/cluster/down

.PHONY: cluster-test
cluster-test: setup ## Bailey on a real Kubernetes, from a client with its own address (needs root); CLUSTER=NAME uses one that runs
	images/build quick
	$(CARGO) build $(TOGETHER) $(AS_TESTED) --bin bailey
	$(CARGO) test $(TOGETHER) --test cluster -- --ignored $(TEST)

##@ Measure
.PHONY: bench
bench: setup ## Compare CPU per request with nginx and HAProxy, side by side (docs/performance.md)
	tests/bench/bench

.PHONY: microbench
microbench: setup ## Benchmarks of single parts: route lookup, codec, link
	$(CARGO) bench --package bailey-routing --package bailey-http1 --package bailey-link
