# Every word is described by its "## " text; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := target/stamps
RUST := $(shell find crates -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock pyproject.toml
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYO3_PYTHON := $(abspath $(BIN)/python)

.PHONY: help demo test lint rust-test model simulate python-test matrix evaluate evaluate-plan figures \
	bench bench-accept bench-quick bench-full docker-test docs build clean

help: ## list these words
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: build ## run a real edge pipeline: sequential, naive, best static size, and ours
	@$(BIN)/python -m pip install --quiet 'matplotlib>=3.8' || echo 'no matplotlib: the demo shows its figure as text'
	$(BIN)/python -m surefoot.demo

test: lint rust-test model ## everything that must hold, on every interpreter found
	@$(MAKE) -j2 --output-sync=line python-test matrix   # the tests mostly wait

lint: build $(STAMPS)/lint-tools ## rustfmt, clippy, ruff, mypy, stubtest
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff check python tests bench
	$(BIN)/ruff format --check python tests bench
	$(BIN)/mypy
	MYPYPATH=python $(BIN)/python -m mypy.stubtest surefoot._core

rust-test: ## unit tests, properties and doc examples of the Rust crates
	cargo test --workspace --locked --quiet --exclude surefoot-python

model: ## loom models of the park, wake, retire and shutdown protocol
	CARGO_TARGET_DIR=target/loom RUSTFLAGS="--cfg surefoot_loom" LOOM_MAX_PREEMPTIONS=2 \
		cargo test --locked --quiet -p surefoot-core --profile model --test loom

simulate: ## compare controllers in the simulator; a million programs of tasks that wait for tasks
	cargo run --release --locked --quiet -p surefoot-cli --example surefoot -- simulate --seeds 10
	cargo test --release --locked --quiet -p surefoot-core --test sim_join_graphs -- --include-ignored --nocapture

python-test: build $(STAMPS)/test-tools ## the pytest suite on the project's own interpreter
	$(BIN)/python -m pytest -q tests bench/tests -m "not chaos"
	$(BIN)/python -m pytest -q tests -m chaos

matrix: $(STAMPS)/venv ## build and test on the other CPythons of this machine
	$(BIN)/python tests/matrix.py --skip $$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# Measured on this machine, so not under git; bench/records has what is.
EVALUATION := bench/out/evaluation.jsonl
SHORT := bench/out/short.jsonl
# Interpreters that are not here are left out, and the records say so.
OTHERS = $$(for tag in 3.14 3.14t; do python=$(CURDIR)/target/matrix/$$tag/environment/bin/python; \
	if [ -x $$python ]; then echo --python $$tag=$$python; fi; done)

evaluate: build $(STAMPS)/test-tools ## measure every claim, in about half an hour; goes on where it was interrupted
	$(BIN)/python tests/matrix.py --only 3.14,3.14t --build
	@mkdir -p bench/out
	$(BIN)/python -m surefoot compare bench/suites/evaluation.toml --records $(EVALUATION) $(OTHERS)
	@$(MAKE) figures

figures: build $(STAMPS)/test-tools ## figures, tables, claims and one page from the records of `evaluate` alone
	$(BIN)/python -m surefoot.evaluation.figures $(EVALUATION) -o docs/figures
	$(BIN)/python -m bench.claims $(EVALUATION) -o docs/claims.md
	$(BIN)/python -m bench.readme $(EVALUATION)
	$(BIN)/python -m surefoot report $(EVALUATION) -o bench/out/evaluation.html
	$(BIN)/python -m surefoot compare --summary $(EVALUATION) > bench/out/evaluation.md

evaluate-plan: build ## say what `evaluate` would run, what is done and how long the rest takes
	$(BIN)/python -m surefoot compare bench/suites/evaluation.toml --records $(EVALUATION) $(OTHERS) --plan

bench: build ## a few minutes: our pools beside the standard pool, and whether they became slower than accepted
	@mkdir -p bench/out
	@rm -f $(SHORT)
	$(BIN)/python -m surefoot compare bench/suites/short.toml --records $(SHORT)
	$(BIN)/python -m surefoot compare --summary $(SHORT) $(addprefix --against ,$(wildcard bench/records/short-*.jsonl))

bench-accept: ## what `bench` measured last is from now on what later runs are compared with, on such a machine
	@mkdir -p bench/records
	cp $(SHORT) bench/records/short-$$(uname -m)-$$(nproc)-cores.jsonl

bench-quick: build ## the cost of a call beside the standard pool's, on this interpreter
	$(BIN)/python -m bench --quick --out bench/out/records.jsonl

bench-full: build ## the same at full length
	$(BIN)/python -m bench --out bench/out/records.jsonl

docker-test: $(STAMPS)/test-tools ## carry out the Dockerfile's steps on a plain Debian root, without an engine (as root)
	$(BIN)/python tests/plain_root.py

docs: $(STAMPS)/test-tools ## check the documentation's links and build the Rust docs
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --locked --quiet --document-private-items
	$(BIN)/python -m pytest -q tests/test_docs.py

build: $(STAMPS)/build ## build the extension (release) into the project's virtual environment

$(STAMPS)/venv: tests/environment.py
	$(PYTHON) tests/environment.py $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: $(STAMPS)/venv $(RUST)
	$(BIN)/python -m pip install --quiet 'maturin>=1.9.4,<2'
	$(BIN)/python -m maturin develop --release --locked --quiet
	@touch $@

$(STAMPS)/lint-tools: $(STAMPS)/venv pyproject.toml
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

$(STAMPS)/test-tools: $(STAMPS)/venv pyproject.toml tests/debian.py
	$(BIN)/python -m pip install --quiet --group test --group test-peers --group test-adapters --group comparison
	$(BIN)/python tests/debian.py --install
	@touch $@

clean: ## remove what was built
	rm -rf target $(VENV) python/surefoot/*.so
