# What there is to do with inetpy. `make demo` and `make test` need nothing but a
# Debian 12 machine and root: they install what is missing.

PYTHON  ?= python3
VENV    := .venv
PY      := $(VENV)/bin/python
ERLC    := erlc -Werror -Wall +debug_info

ERL_SOURCES  := $(wildcard erl/src/*.erl)
HOOK_SOURCES := $(wildcard erl/hook/*.erl)
TEST_SOURCES := $(wildcard erl/test/*.erl)

.PHONY: build demo test test-apps test-otp28 test-python fuzz lint bench bench-codec crosscheck dialyzer xref format clean

build: $(VENV)/.tools erl/ebin/inetpy.app

demo: build
	@$(PY) demo/demo.py

test: lint test-python

# Real programs, with packages of their own.
test-apps: $(VENV)/.test build
	@scripts/debian.sh apps
	@$(PY) -m pip install --quiet --disable-pip-version-check --group test --group apps
	@$(PY) -m pytest tests/apps

# The same beams on an emulator of OTP 28: the scenarios, the codec, the parsers.
test-otp28: $(VENV)/.test build erl/test/ebin/.built
	@PYTHON=$(PY) scripts/otp28.sh _build/otp28
	@PATH="$(CURDIR)/_build/otp28/bin:$$PATH" $(PY) -m pytest tests/test_conformance.py tests/beam

# All tests, and again without the compiled core all in which it could make a difference: not those
# of the command and of parsers that no codec comes near, and the corpus one way in.
test-python: $(VENV)/.test build erl/test/ebin/.built
	@echo "== tests =="
	@$(PY) -m pytest
	@echo "== tests in pure Python =="
	@INETPY_PURE=1 $(PY) -m pytest $(addprefix --ignore=tests/,$(NO_CODEC)) -k '$(NOT_PURE)'

NOT_PURE := not test_whole_node and not test_two_bridges and not test_family_by_address and not hostile_SUITE
NO_CODEC := test_bugs.py test_command.py test_crosscheck.py beam/test_ip_text_beam.py beam/test_packet_beam.py

# A million mutated frames for a bridge; SEED=N repeats a run.
fuzz: build
	@$(PY) tests/fuzz_bridge.py --frames 1000000 $(if $(SEED),--seed $(SEED))

lint: $(VENV)/.test build erl/test/ebin/.built
	@echo "== ruff, mypy =="
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(MAKE) --no-print-directory xref dialyzer

xref: erl/ebin/inetpy.app
	@echo "== xref =="
	@escript erl/test/xref.escript erl/ebin

# The type table of OTP takes a minute to make, once.
_build/otp.plt:
	@echo "== dialyzer: learning the types of OTP (once) =="
	@mkdir -p _build
	@dialyzer --build_plt --quiet --output_plt $@ --apps erts kernel stdlib

dialyzer: _build/otp.plt erl/ebin/inetpy.app
	@echo "== dialyzer =="
	@dialyzer --quiet --plt $< -Wunmatched_returns -Werror_handling erl/ebin

bench: build
	@$(PY) -m pip install --quiet --disable-pip-version-check --group bench
	@$(VENV)/bin/inetpy bench --output _build/bench.json --plot _build/bench.png
	@echo "_build/bench.json, _build/bench.png"

bench-codec: $(VENV)/.test
	@$(PY) tests/bench_codec.py

crosscheck: build erl/test/ebin/.built
	@$(VENV)/bin/inetpy crosscheck --backends inetpy,node,node_by_address --html _build/crosscheck.html

format: $(VENV)/.test
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(VENV) _build erl/ebin erl/hook/ebin erl/test/ebin .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- what has to be there ----------------------------------------------------

$(VENV)/.base: pyproject.toml
	@scripts/debian.sh build
	@echo "== virtual environment =="
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.tools: $(VENV)/.base setup.py bridge/inetpy/_compiled.pyx
	@echo "== Python packages, and the compiled core =="
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[tools,uvloop]'
	@$(PY) scripts/told_if_pure.py
	@touch $@

$(VENV)/.test: $(VENV)/.tools
	@scripts/debian.sh test
	@echo "== Python packages for tests =="
	@$(PY) -m pip install --quiet --disable-pip-version-check --group test
	@touch $@

erl/ebin/inetpy.app: $(ERL_SOURCES) $(HOOK_SOURCES) erl/src/inetpy.app.src | $(VENV)/.base
	@echo "== Erlang =="
	@mkdir -p erl/ebin
	@mkdir -p erl/hook/ebin
	@$(ERLC) +warn_missing_spec -o erl/ebin $(ERL_SOURCES)
	@$(ERLC) +warn_missing_spec -o erl/hook/ebin $(HOOK_SOURCES)
	@escript scripts/app.escript erl/src erl/ebin

erl/test/ebin/.built: $(TEST_SOURCES) erl/ebin/inetpy.app
	@mkdir -p erl/test/ebin
	@$(ERLC) -pa erl/ebin -o erl/test/ebin $(TEST_SOURCES)
	@touch $@
