# Everything that this project does, from a fresh Linux machine with a Swift toolchain.
#
#   make bench           measure the default suite; ends with the path of a report in Reports/
#   make bench QUICK=1   the embedded model's shape, about a minute
#   make bench FULL=1    more contexts, batches and steps; up to 90 minutes
#   make test            all tests (what continuous integration runs)
#   make conformance     the full product of all axes instead of all pairs
#   make report          Reports/full.md again from its committed rows
#   make peers           Reports/peers.md: beside ggml, PyTorch and ONNX Runtime, an hour on two cores
#   make oracle          logits beside Hugging Face transformers on fresh random configurations
#   make fuzz            mutated model folders, tokenizers and files of ids, ten minutes
#   make tokenizers      byte-level BPE beside the tokenizers library on fresh random text
#   make factorisation   one layer's factorisation beside numpy.linalg, in turn
#   make streaming       peak memory of conversions and loads of a random model of 2 GB, in .work
#   make mla             Reports/mla.md: conversions of the embedded model, about nine minutes on two cores
#   make export-check    exports of random models, loaded by unmodified transformers, same logits
#   make micro           micro-benchmarks of the kernels
#   make kernels-test    the C kernels alone, AMX emulated; kernels-neon: the arm64 builds under emulation
#   make lint docs sanitize clean

SWIFT   ?= swift
BUILD   := .build/release
ATTNZOO := $(BUILD)/attnzoo
SUITE   := $(if $(FULL),full,$(if $(QUICK),quick,default))

.PHONY: all deps build test bench conformance kernels-test kernels-neon peers micro oracle fuzz \
  tokenizers factorisation streaming mla export-check report lint docs sanitize clean
CLANG    = $$(command -v clang || echo "$$(dirname "$$(readlink -f "$$(command -v $(SWIFT))")")/clang")

all: build

# OpenBLAS and LAPACKE from the distribution, installed when pkg-config does not find them.
deps:
	@command -v $(SWIFT) >/dev/null || { echo "a Swift toolchain (6.1 or later) is needed"; exit 1; }
	@if ! pkg-config --exists openblas lapacke 2>/dev/null; then \
	  echo "installing libopenblas-dev and liblapacke-dev"; \
	  run=""; [ "$$(id -u)" = 0 ] || run="sudo"; \
	  $$run apt-get update -qq && $$run apt-get install -y -qq pkg-config libopenblas-dev liblapacke-dev; \
	fi

build: deps
	$(SWIFT) build -c release --product attnzoo

bench: build
	$(ATTNZOO) bench --suite Benchmarks/Suites/$(SUITE).yaml --output Reports

# Tests run optimised, through public interfaces only: the checker over the registry needs the speed.
test: deps kernels-test
	$(SWIFT) build -c release --build-tests
	@{ $(SWIFT) test -c release --skip-build 2>&1; echo $$? > .build/test.status; } | tee .build/test.log; \
	  status=$$(cat .build/test.status); \
	  [ "$$status" = 0 ] || { echo; echo "what failed, again:"; grep "✘" .build/test.log; }; exit $$status

conformance: deps
	$(SWIFT) build -c release --build-tests
	CONFORMANCE=full $(SWIFT) test -c release --skip-build --filter ConformanceTests

# The C kernels alone, every instruction set that this machine can run, against float64.
kernels-test:
	$(MAKE) -j -C Tests/CKernels test $(if $(filter x86_64,$(shell uname -m)),tiles) CC="$(CLANG)"

kernels-neon:
	@command -v qemu-aarch64 >/dev/null && [ -d /usr/aarch64-linux-gnu ] || { \
	  run=""; [ "$$(id -u)" = 0 ] || run="sudo"; \
	  $$run apt-get update -qq && $$run apt-get install -y -qq qemu-user gcc-aarch64-linux-gnu; }
	$(MAKE) -C Tests/CKernels neon CC="$(CLANG)"

peers: deps
	$(SWIFT) build -c release --package-path Benchmarks --product attend-server
	cd Benchmarks/Peers && { [ -d .venv ] || python3 -m venv .venv; } && \
	  .venv/bin/pip install -q -r requirements.txt
	Benchmarks/Peers/.venv/bin/python Benchmarks/Peers/compare.py \
	  --server Benchmarks/.build/release/attend-server --output Reports/peers.md $(PEERS)

factorisation: deps
	$(SWIFT) build -c release --product factorisation-timer
	cd Benchmarks/Oracles && { [ -d .venv ] || python3 -m venv .venv; } && .venv/bin/pip install -q numpy
	Benchmarks/Oracles/.venv/bin/python Benchmarks/Oracles/compare_factorisation.py \
	  --timer $(BUILD)/factorisation-timer $(FACTORISATION)

streaming: build
	cd Benchmarks/Oracles && { [ -d .venv ] || python3 -m venv .venv; } && \
	  .venv/bin/pip install -q numpy && \
	  .venv/bin/python measure_streaming.py --attnzoo $(CURDIR)/$(ATTNZOO) $(STREAMING)

# Rank × RoPE slice × calibrated or not, shared slices and slices a head, ranks equal and spread.
MLA := $(foreach p,16 32 64 4x8 8x8 16x8,$(foreach r,32 64 128,mla:$(r)+$(p)))
COMMA := ,
SPACE := $(subst ,, )
mla: build
	$(ATTNZOO) convert embedded --to $(subst $(SPACE),$(COMMA),$(strip $(MLA))) \
	  --methods calibrated,weights-only --frequencies stock,by-energy --spread \
	  --evaluation-segments 8 --report Reports/mla.md

export-check: build
	$(SWIFT) build -c release --product export-oracle
	cd Benchmarks/Oracles && { [ -d .venv ] || python3 -m venv .venv; } && \
	  .venv/bin/pip install -q -r requirements.txt
	Benchmarks/Oracles/.venv/bin/python Benchmarks/Oracles/check_export.py \
	  --oracle $(BUILD)/export-oracle --attnzoo $(ATTNZOO) $(EXPORTS)

micro: deps
	$(SWIFT) package -c release --package-path Benchmarks benchmark $(MICRO)

# SEED=N repeats a run, COUNT=N configurations; logits of transformers, from a virtual environment.
oracle: build
	cd Benchmarks/Oracles && { [ -d .venv ] || python3 -m venv .venv; } && \
	  .venv/bin/pip install -q -r requirements.txt && \
	  .venv/bin/python -W ignore compare_live.py --attnzoo $(CURDIR)/$(ATTNZOO) \
	  --count $(or $(COUNT),42) $(if $(SEED),--seed $(SEED))

# SEED=N repeats a run; TEXTS=N texts for each tokenizer.
tokenizers: deps
	cd Benchmarks/Oracles && { [ -d .venv ] || python3 -m venv .venv; } && \
	  .venv/bin/pip install -q -r requirements-tokenizers.txt && \
	  .venv/bin/python make_tokenizer_fixtures.py --output .work/tokenizers \
	  --random $(or $(TEXTS),1000) --seed $(or $(SEED),0)
	$(SWIFT) build -c release --build-tests
	ZOO_TOKENIZERS=$(CURDIR)/Benchmarks/Oracles/.work/tokenizers \
	  $(SWIFT) test -c release --skip-build --filter TokenizerFixtureTests

# FUZZ_SECONDS=N goes on longer, FUZZ_SEED=N repeats a run. Each kind of file prints its seed, and the
# file that was read last stays in .build/fuzz, should one end the process.
fuzz: deps
	$(SWIFT) build -c release --build-tests
	mkdir -p .build/fuzz
	ZOO_FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) ZOO_FUZZ_KEEP=$(CURDIR)/.build/fuzz \
	  $(if $(FUZZ_SEED),ZOO_FUZZ_SEED=$(FUZZ_SEED)) \
	  $(SWIFT) test -c release --skip-build --no-parallel --filter FuzzTests

report: build
	$(ATTNZOO) report Reports/full.jsonl --to Reports/full.md --title "full: llama-3.2-1b" \
	  --command "attnzoo bench --suite Benchmarks/Suites/full.yaml --output Reports"

lint:
	$(SWIFT) format lint -r --strict Sources Tests Package.swift Examples

docs: deps
	ATTNZOO_DOCS=1 $(SWIFT) package --allow-writing-to-directory .build/docs \
	  generate-documentation --target AttentionCore --target AttentionZoo --output-path .build/docs

# Address and undefined-behaviour sanitizers over the C kernels, the thread sanitizer over the pool and attend.
sanitize: deps
	$(MAKE) -j -C Tests/CKernels sanitize CC="$(CLANG)"
	$(SWIFT) test --sanitize thread --scratch-path .build/thread --filter 'WorkerPool|RepeatedAttendTests'

clean:
	$(SWIFT) package clean
	$(MAKE) -C Tests/CKernels clean
	rm -rf .build
