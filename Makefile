# `make help` lists the targets. Everything is built into build/<preset>/ by the presets of CMakePresets.json.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 30
CLANG_FORMAT := clang-format-19
CPP_FILES = $(shell find src apps tests fuzz bench examples -name '*.cpp' -o -name '*.hpp' 2>/dev/null | sort)
# Test code shows every leak and overflow at once, and does not stop in the middle of another test's output.
SANITIZER_ENV := ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1

say = @printf '\n== %s\n' "$(1)"

.PHONY: help deps configure build test unit demo bench fmt fmt-check lint tidy asan asan-e2e tsan fuzz docs clean

help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps:  ## Install the packages that are missing (Debian 12)
	@tools/install_deps

configure: deps
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }

build: | build_dir deps  ## Build everything (preset release)
	@$(MAKE) configure
	$(call say,Building)
	@cmake --build --preset release -j $(JOBS)

.PHONY: build_dir
build_dir:
	@mkdir -p build

test: build  ## Build, then run every test that needs nothing but this machine
	$(call say,Testing)
	@ctest --preset release -j $(JOBS)

unit: | build_dir deps  ## Only the tests of single modules
	@$(MAKE) configure
	$(call say,Testing the modules)
	@cmake --build --preset release -j $(JOBS) --target unit_tests
	@ctest --preset release -j $(JOBS) -L unit

demo: build  ## Start local shards and the router, load data, show what it does
	$(call say,Demonstration)
	@tools/demo

bench: build  ## Measure beside PostgreSQL and PgBouncer, about 8 minutes (QUICK=1: 2 minutes); writes build/bench.json
	@PYTHONDONTWRITEBYTECODE=1 bench/run.py --bin build/release/bin --out build/bench.json $(if $(QUICK),--quick)

fmt:  ## Format the C++ files in place
	@$(CLANG_FORMAT) -i $(CPP_FILES)

fmt-check: deps  ## Fail if a C++ file is not formatted
	@echo $(CPP_FILES) | xargs -n 40 $(CLANG_FORMAT) --dry-run --Werror

lint: fmt-check  ## Format, modules and house rules
	@tools/check_modules.py
	@tools/check_house.py

tidy: build  ## clang-tidy over every source file (slow)
	@find src apps -name '*.cpp' | xargs -n 1 -P $(JOBS) clang-tidy-19 --quiet -p build/release

asan tsan: deps | build_dir  ## Unit tests under address and undefined-behaviour, or thread sanitizers
	$(call say,Unit tests under $@)
	@cmake --preset $@ >build/configure-$@.log 2>&1 || { cat build/configure-$@.log; exit 1; }
	@cmake --build --preset $@ -j $(JOBS) --target unit_tests
	@$(SANITIZER_ENV) ctest --preset $@ -j $(JOBS) -L unit

asan-e2e: deps | build_dir  ## The program itself under address and undefined-behaviour sanitizers, from outside
	$(call say,The program under asan)
	@cmake --preset asan >build/configure-asan.log 2>&1 || { cat build/configure-asan.log; exit 1; }
	@cmake --build --preset asan -j $(JOBS) --target sherd
	@ASAN_OPTIONS=detect_stack_use_after_return=1:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 \
	  ctest --preset asan -L e2e  # freed memory is kept for a while: little enough for the tests of memory

fuzz: deps | build_dir  ## Each fuzzer for FUZZ_SECONDS (30)
	$(call say,Fuzzing $(FUZZ_SECONDS) s each)
	@cmake --preset fuzz >build/configure-fuzz.log 2>&1 || { cat build/configure-fuzz.log; exit 1; }
	@cmake --build --preset fuzz -j $(JOBS) --target fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/run_fuzzers build/fuzz/bin

docs: build  ## Write the reference of the options, docs/options.md
	@SHERD_UPDATE_DOCS=1 build/release/bin/config_test --gtest_brief=1 --gtest_filter='OptionsPage.*'

clean:  ## Remove everything that was built
	@rm -rf build
