# The whole job and the daily ones. Everything sets up what it needs first, and is quick when nothing is missing.
.PHONY: help run build install test test-pages test-sweep test-cluster report-picture sweep bench gpu results fuzz soak sanitize coverage format lint clean
.DEFAULT_GOAL := help

help:
	@echo "make run       set up, build, then a small default run: dataset, model, representations"
	@echo "make build     set up and build the program build/strider; with GPU=1 also its engine for NVIDIA GPUs,"
	@echo "               with MPI=1 also what lets several processes train one model"
	@echo "make install   build, then program, scripts, presets, manual pages and completion to PREFIX=/usr/local (and DESTDIR)"
	@echo "make sweep SWEEP=my.yaml   set up, build, run every combination that a file lists (docs/sweeps.md)"
	@echo "make test      set up, build, run every test"
	@echo "make test-pages      the page of strider report in a headless Chromium (Debian)"
	@echo "make test-sweep      sweeps on the cores of this machine, by Snakemake"
	@echo "make test-cluster    a sweep on a real Slurm, which it sets up and takes down (root)"
	@echo "make report-picture  draw docs/report.png anew, from a small run"
	@echo "make bench     set up, build, run the benchmarks"
	@echo "make gpu       on a machine with an NVIDIA GPU: build, test and measure with it (scripts/gpu.sh has options)"
	@echo "make results   train the recipes on three surfaces, put tables and charts into docs/results.md (20 minutes)"
	@echo "make fuzz      run every reader under damaged input for FUZZ_SECONDS=30 each (clang)"
	@echo "make sanitize  the tests under the address, undefined-behaviour and thread sanitizers (clang)"
	@echo "make coverage  which lines the tests reach, by room"
	@echo "make soak      random settings, kills and resumes against undisturbed runs for SOAK_MINUTES=60"
	@echo "make format    format the C++ files"
	@echo "make lint      clang-format, clang-tidy and shellcheck, as checks"
	@echo "make clean     remove build/ (results/ stays)"

run: build
	@steps/default_run.sh

build:
	@scripts/build.sh program

PREFIX ?= /usr/local
install: build
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)"

test:
	@scripts/build.sh tests
	@ctest --test-dir build --output-on-failure --parallel $$(nproc)

test-pages:
	@scripts/test_pages.sh tests/pages/page_test.py

SWEEP ?= workflow/sweep.yaml
sweep:
	@scripts/sweep.sh "$(SWEEP)"

test-sweep:
	@scripts/build.sh program
	@scripts/python_env.sh build/workflow scripts/requirements-workflow.txt
	@build/workflow/bin/python -B tests/workflow/sweep_test.py
	@build/workflow/bin/python -B tests/workflow/gpu_test.py

test-cluster:
	@scripts/test_cluster.sh

report-picture:
	@scripts/test_pages.sh tests/pages/draw_picture.py

bench:
	@scripts/build.sh bench
	@scripts/bench.sh

gpu:
	@scripts/gpu.sh --write docs/performance.md

results:
	@scripts/build.sh program
	@scripts/python_env.sh build/charts scripts/requirements-bench.txt
	@build/charts/bin/python -B bench/recipes.py --write docs/results.md

FUZZ_SECONDS ?= 30
fuzz:
	@scripts/fuzz.sh $(FUZZ_SECONDS)

sanitize:
	@scripts/sanitize.sh address
	@scripts/sanitize.sh threads

coverage:
	@scripts/coverage.sh

SOAK_MINUTES ?= 60
soak: build
	@python3 -B tests/reliability/soak.py build/strider $(SOAK_MINUTES)

format:
	@scripts/system_packages.sh lint
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

lint:
	@scripts/lint.sh

clean:
	rm -rf build
