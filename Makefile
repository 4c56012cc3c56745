# SPDX-License-Identifier: Apache-2.0
#
# The front door: `make` lists the targets. Everything runs in .venv, made when needed.

PYTHON3 ?= python3
VENV    := .venv
PYTHON  := $(VENV)/bin/python
EXTRAS  := sim,synth,bitstream,board,dev
STAMP   := $(VENV)/.installed

GENERATED := rtl/flex_program_pkg.sv docs/program.md templates/hls/lib/flex/flex_program.hpp
# Two workers, as a simulation is one process; each takes over what the other has left at the end.
PYTEST    := $(PYTHON) -m pytest -n 2 --dist worksteal

# One thread each: numpy and ONNX Runtime in parallel tests otherwise slow each other down.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo check lint format format-check types test test-full generate golden \
        models results estimator-report clean distclean
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## install flexcc and its tools into .venv

$(STAMP): pyproject.toml constraints.txt
	@missing=$$(PYTHON3=$(PYTHON3) sh .ci/missing_packages) || exit 1; test -z "$$missing" || \
	  { echo "This machine lacks: $$missing. On Debian: apt-get install $$missing" >&2; exit 1; }
	test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check \
	  -e '.[$(EXTRAS)]' -c constraints.txt
	@touch $@

demo: setup ## compile a model, simulate its accelerator on real inputs, show the results
	$(PYTHON) -m designs.mnist_conv_u250.demo

check: lint format-check types test ## everything that CI runs

lint: setup ## ruff, Verilator, Verible, generated files
	$(PYTHON) -m ruff check .
	$(PYTHON) -m sim.lint
	$(PYTHON) -m flexcc.program.generate --check $(GENERATED)
	$(PYTHON) rtl/generate_csr.py --check
	$(PYTHON) rtl/generate_core.py --check

format: setup ## format Python and SystemVerilog in place
	$(PYTHON) -m ruff check --fix --select I .
	$(PYTHON) -m ruff format .
	$(PYTHON) -m sim.lint --format

format-check: setup ## fail when `make format` would change Python (lint covers SystemVerilog)
	$(PYTHON) -m ruff format --check .

types: setup ## mypy, strict
	$(PYTHON) -m mypy

test: setup ## the tests that finish in minutes
	$(PYTEST) -m "not slow"

test-full: setup ## all tests
	$(PYTEST)

generate: setup ## write the files generated from the program format and the registers
	$(PYTHON) -m flexcc.program.generate $(GENERATED)
	$(PYTHON) -m flexcc.frontend.operators docs/operators.md
	$(PYTHON) rtl/generate_csr.py
	$(PYTHON) rtl/generate_core.py

golden: setup ## accept changed output files; review the diff
	$(PYTHON) -m pytest -m "not rtl" --update-golden

models: setup ## write designs/*/model.onnx of the networks with seeded random weights
	$(PYTHON) -m designs.models

results: setup ## measure every design and write docs/results.md
	$(PYTHON) -m designs.results --all

estimator-report: setup ## write docs/estimator.md from the stored reports of whole networks
	$(PYTHON) -m designs.whole.estimator

# Any of them: make regression ACCEPT=1
ACCEPT ?=
GUARD := $(PYTHON) -m designs.regression $(if $(ACCEPT),--accept)

regression: setup ## guard cycles, cells and clock of all designs, one bitstream: ACCEPT=1 stores them
	$(GUARD)

regression-full: setup ## the same, all simulated, all bitstreams: an hour
	$(GUARD) --full

# make bitstream DESIGN=mnist_conv_ulx3s; make sim DESIGN=vgg16 INPUT=x.npz OUTPUT=y.npz
DESIGN ?= mnist_conv_ulx3s
BUILD  := $(CURDIR)/build/$(DESIGN)
INPUT  ?= $(BUILD).x.npz
OUTPUT ?= $(BUILD).y.npz

csim: ## DESIGN: run its HLS C++ and compare all memory
sim: ## DESIGN: simulate its RTL and compare all memory
synth: ## DESIGN: count its cells with Yosys, build/DESIGN.synth
bitstream: ## DESIGN: synthesise, place, route, build/DESIGN.bitstream
program: ## DESIGN: load its bitstream into the board
board: ## DESIGN: run it on the loaded board and compare all memory, PORT=/dev/ttyUSB0
hw: ## DESIGN: the whole way to hardware, with the vendor's tools where those are needed

csim sim synth bitstream program board hw: setup
	$(PYTHON) -m designs.build $(DESIGN) $(BUILD)
	$(MAKE) -C $(BUILD) $@ FLEXCC=$(CURDIR)/$(VENV)/bin/flexcc INPUT=$(abspath $(INPUT)) OUTPUT=$(abspath $(OUTPUT))

clean: ## remove what builds and tests left
	rm -rf build dist .cache .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## also remove .venv
	rm -rf $(VENV)
