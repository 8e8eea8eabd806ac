# Every target does its own set-up. What is needed beforehand: Rust 1.95 or newer (rustup), a C compiler, make, and Python 3.11 or newer.
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

# A local cloud of the demo's own: on any free port, so that it disturbs nothing else.
demo: export PROVISIONER_LOCAL_DIR = $(CURDIR)/target/demo
demo: export PROVISIONER_LOCAL_PORT = 0
demo: ## The whole main job on this machine, without an AWS account: up, pictures, rows, down, nothing left
	cargo build --locked --package provisioner
	$(PROVISIONER) up --local --yes
	$(PROVISIONER) detect --local $(FIXTURES)/face.jpg $(FIXTURES)/two-faces.jpg $(FIXTURES)/no-face.jpg
	$(PROVISIONER) status --local
	$(PROVISIONER) down --local --yes

test: lint test-rust judge ## Everything that must hold: formatting, lints, both crates, the whole loop, the judges

lint: ## Formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-rust: ## Unit and integration tests of both crates, and the whole loop against the local cloud
	cargo test --workspace --locked

judge: $(JUDGES)/ready ## cfn-lint, parliament, botocore and moto on the template, the policies and the list of regions
	cargo build --locked --package provisioner
	$(JUDGES)/bin/python templates/judges/check.py target/debug/provisioner

$(JUDGES)/ready: templates/judges/requirements.txt
	rm -rf $(JUDGES)
	python3 -m venv $(JUDGES)
	$(JUDGES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

build: ## Only the function's package
	$(PROVISIONER) build

# The static program: Linux's own C library is left out, the function is put in, for AWS and for this machine's local cloud.
# ring is the one part in C; any compiler for this processor will do, since it uses nothing of a C library.
DIST_TARGET ?= $(shell uname -m)-unknown-linux-musl
DIST := target/dist
dist: ## One static program that carries the function, with its checksum
	rustup target add $(DIST_TARGET) aarch64-unknown-linux-musl
	cargo build --locked --package provisioner
	for architecture in arm64 x86_64; do \
	  $(PROVISIONER) build --architecture $$architecture --zip $(DIST)/function-$$architecture.zip; \
	done
	PROVISIONER_EMBED_ARM64=$(CURDIR)/target/aarch64-unknown-linux-musl/lambda/bootstrap \
	PROVISIONER_EMBED_X86_64=$(CURDIR)/target/x86_64-unknown-linux-musl/lambda/bootstrap \
	CC_$(subst -,_,$(DIST_TARGET))=$${CC:-cc} \
	  cargo build --locked --release --package provisioner --target $(DIST_TARGET)
	cp target/$(DIST_TARGET)/release/provisioner $(DIST)/provisioner-$(DIST_TARGET)
	cd $(DIST) && sha256sum provisioner-$(DIST_TARGET) function-*.zip | tee SHA256SUMS

fuzz: ## The function's properties on 100,000 cases each (5,000 for orders of deliveries); CASES sets another number
	PROPTEST_CASES=$(CASES) cargo test --workspace --locked --test properties

# Lambda's waits are a tenth of the real ones; SCALE_HURRY=1 makes them whole. SCALE_COPIES (200) is for the run without a reservation; each
# copy takes a few connections, hence the limit raised.
scale: export SCALE_UPLOADS ?= 1000
scale: export SCALE_QUOTA ?= 5
scale: ## 1,000 uploads at once, Rekognition at 5 a second: none is lost; takes ten minutes
	ulimit -Sn hard || true; cargo test --package provisioner --locked --test scale -- --nocapture --test-threads=1

test-ring: ## The function's tests with ring in place of graviola; needs a C compiler
	cargo test --package function --locked --no-default-features --features tls-ring

test-arm64: ## The function's executable for arm64, under qemu, against the tests' Runtime API
	command -v $(QEMU) >/dev/null || $(SUDO) apt-get install --yes qemu-user-static \
		|| { $(SUDO) apt-get update && $(SUDO) apt-get install --yes qemu-user-static; }
	$(PROVISIONER) build
	BOOTSTRAP=$(CURDIR)/target/$(ARM64)/lambda/bootstrap BOOTSTRAP_RUNNER="$$(command -v $(QEMU))" \
		cargo test --workspace --locked --test bootstrap

# The flags that `provisioner build` sets (src/bootstrap.rs), but for those about paths.
bench-function: export RUSTFLAGS := -Crelocation-model=static
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

# Everything on 127.0.0.1; the tools to compare with come from PyPI, with their hashes. BENCH_FLAGS=--stack-seconds=5 for a quick look.
PEERS := target/bench-peers
bench-deploy: $(PEERS)/ready ## Time and calls of create, no change, update, delete, beside the AWS CLI and SAM
	cargo build --locked --release --package provisioner
	target/release/provisioner build --zip $(PEERS)/function.zip
	$(PEERS)/bin/python provisioner/benches/deploy.py --program target/release/provisioner --bootstrap $(PEERS)/function.zip \
	  --peers $(PEERS)/bin $(BENCH_FLAGS)

$(PEERS)/ready: provisioner/benches/requirements.txt
	rm -rf $(PEERS)
	python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	touch $@

clean: ## Remove what was built
	cargo clean

.PHONY: help demo test lint test-rust judge build dist fuzz scale test-ring test-arm64 bench-function bench-deploy clean
