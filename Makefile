# Every target does its own set-up. What is needed beforehand: Rust (rustup), make, and Python 3.10 or newer or uv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PROVISIONER := cargo run --quiet --locked --package provisioner --
JUDGES := target/judges
FIXTURES := provisioner/fixtures

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

clean: ## Remove what was built
	cargo clean

.PHONY: help demo test lint test-unit judge test-e2e build clean
