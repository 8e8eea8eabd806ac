# Every target does its own set-up. What is needed beforehand: Rust (rustup), make, and Python 3.10 or newer or uv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PROVISIONER := cargo run --quiet --locked --package provisioner --
JUDGES := target/judges
FIXTURES := provisioner/fixtures
CASES := 100000
ARM64 := aarch64-unknown-linux-musl
HOST_MUSL := $(shell uname -m)-unknown-linux-musl
BENCH := $(CURDIR)/target/bench-python
QEMU := qemu-aarch64-static
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)

help: ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

demo: ## The whole main job on this machine, offline and without an account: up, pictures, rows, down, nothing left
	@echo "building provisioner (a few minutes the first time)"
	cargo build --locked --package provisioner
	$(PROVISIONER) up --local --yes
	$(PROVISIONER) detect --local $(FIXTURES)/face.jpg $(FIXTURES)/two-faces.jpg $(FIXTURES)/no-face.jpg
	$(PROVISIONER) status --local
	$(PROVISIONER) down --local --yes

test: lint test-unit judge test-e2e ## Everything that must hold: formatting, lints, unit and integration tests, judges, the whole loop

lint: ## Formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-unit: ## Unit and integration tests of both crates
	cargo test --workspace --locked

judge: $(JUDGES)/ready ## cfn-lint and parliament on the template and the policies
	$(JUDGES)/bin/python templates/judges/check.py

$(JUDGES)/ready: templates/judges/requirements.txt
	rm -rf $(JUDGES)
	python3 -m venv $(JUDGES)
	$(JUDGES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

test-e2e: ## The whole loop against the local cloud, on a port and in a folder of its own
	cargo test --package provisioner --locked --test e2e -- --ignored --nocapture

build: ## Only the function's package
	$(PROVISIONER) build

fuzz: ## The function's properties on 100,000 cases each (5,000 for orders of deliveries); CASES sets another number
	PROPTEST_CASES=$(CASES) cargo test --package function --locked --test properties

test-ring: ## The function's tests with ring in place of graviola; needs a C compiler
	cargo test --package function --locked --no-default-features --features tls-ring

test-arm64: ## The function's executable for arm64, under qemu, against the tests' Runtime API
	rustup target list --installed | grep -qx $(ARM64) || rustup target add $(ARM64)
	command -v $(QEMU) >/dev/null || $(SUDO) apt-get install --yes qemu-user-static \
		|| { $(SUDO) apt-get update && $(SUDO) apt-get install --yes qemu-user-static; }
	cargo build --profile lambda --locked --package function --target $(ARM64)
	BOOTSTRAP="$$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/$(ARM64)/lambda/bootstrap" \
		BOOTSTRAP_RUNNER="$$(command -v $(QEMU))" cargo test --package function --locked --test bootstrap

bench-function: $(BENCH)/ready ## The function beside the same calls in Python and without an SDK: cold and warm times, peak memory
	rustup target list --installed | grep -qx $(HOST_MUSL) || rustup target add $(HOST_MUSL)
	cargo build --profile lambda --locked --package function --target $(HOST_MUSL)
	cargo build --profile lambda --locked --package function --target $(HOST_MUSL) --examples
	PYTHON=$(BENCH)/bin/python cargo run --quiet --profile lambda --locked --package function --target $(HOST_MUSL) --example compare

$(BENCH)/ready: function/benches/python/requirements.txt
	rm -rf $(BENCH)
	python3 -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

clean: ## Remove what was built
	cargo clean

.PHONY: help demo test lint test-unit judge test-e2e build fuzz test-ring test-arm64 bench-function clean
