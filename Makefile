# `make demo` and `make test` need only Debian 12 and root: they install missing packages.

PYTHON  ?= python3
VENV    := .venv
PY      := $(VENV)/bin/python
ERLC    := erlc -Werror -Wall +debug_info

ERL_SOURCES  := $(wildcard erl/src/*.erl)
ERL_HEADERS  := $(wildcard erl/src/*.hrl)
TOOL_SOURCES := $(wildcard erl/tools/*.erl)
# The behaviour first: erlc compiles them in this order.
TEST_FIRST   := erl/test/inetpy_xc_random.erl
TEST_SOURCES := $(TEST_FIRST) $(filter-out $(TEST_FIRST),$(wildcard erl/test/*.erl))

.PHONY: build demo test test-apps test-docker test-failures test-network test-packaging test-sockets test-testing test-otp28 test-python random fuzz lint bench bench-codec crosscheck dialyzer xref format clean

build: $(VENV)/.tools erl/ebin/inetpy.app erl/tools/ebin/.built

demo: build
	@$(PY) demo/demo.py

test: lint test-python

# Tests with real programs, which come from Debian.
test-apps: $(VENV)/.test build
	@scripts/debian.sh apps
	@$(PY) -m pip install --quiet --disable-pip-version-check --group test --group apps
	@$(PY) -m pytest tests/apps

# The scenarios, the codec and the parsers with the same beams on an emulator of OTP 28.
test-otp28: $(VENV)/.test build erl/test/ebin/.built
	@PYTHON=$(PY) scripts/otp28.sh _build/otp28
	@PATH="$(CURDIR)/_build/otp28/bin:$$PATH" $(PY) -m pytest tests/test_conformance.py tests/beam tests/sockets/test_scenarios.py

# All tests. Then, without the compiled codec, the tests in which it could make a difference: without the
# tests of the command and of parsers that do not use the codec, and the scenarios in one variant only, of
# the groups in which terms have many forms.
test-python: $(VENV)/.test build erl/test/ebin/.built
	@echo "== tests =="
	@$(PY) -m pytest
	@echo "== tests in pure Python =="
	@INETPY_PURE=1 $(PY) -m pytest $(addprefix --ignore=tests/,$(NO_CODEC)) -k '$(NOT_PURE)'

NOT_PURE := not inetpy_xc_datagrams and not inetpy_xc_sequences-1 and not xc_active and not xc_early and not xc_recv and not xc_send and not test_whole_node and not test_two_bridges and not install_SUITE and not bridges_SUITE and not otp_SUITE and not inet_SUITE and not tcp_SUITE and not udp_SUITE and not test_otp_on_whole_node and not test_node_goes_down and not xc_accept and not xc_address and not xc_bulk and not xc_close and not xc_connect and not xc_families and not xc_functions and not xc_inet and not xc_listen and not xc_local and not xc_multicast and not xc_owner and not xc_sendfile and not xc_udpopts
NO_CODEC := test_bare_jobs.py test_compare_bench.py test_serve.py test_command.py test_crosscheck.py test_docs.py test_doctor.py test_application.py test_documented.py unit/test_reference_pages.py unit/test_troubleshooting.py beam/test_ip_text_beam.py beam/test_packet_beam.py test_demo.py test_memory_node.py $(addprefix unit/test_,$(addsuffix .py,bare_port bench_table controlled_sockets each_call fault_schedules fault_words host_seam memory_calls memory_random memory_sockets network_anywhere network_clock network_names network_report plain_network poller replay rooms rules_index rules_random scenes scripts serve_words servers system_options testing_node trace trace_keys trace_read trace_view untouched))

# Python is killed, hangs or says nonsense; peers and callers that harm others; what happens to programs that do not wait for
# answers.
test-failures: $(VENV)/.test build erl/test/ebin/.built
	@$(PY) -m pytest tests/failures

# A fault is equal to the real event, and what else takes long about the network in Python's hands. Root: the tests make
# networks of their own.
test-network: $(VENV)/.test build erl/test/ebin/.built
	@scripts/debian.sh network
	@$(PY) -m pip install --quiet --disable-pip-version-check --group test --group network-tests
	@$(PY) -m pytest tests/network

# docker-compose.yml on a Docker engine of the tests' own, without a registry. Skipped where no engine can run.
test-docker: $(VENV)/.test build
	@[ "$$(id -u)" -ne 0 ] || scripts/debian.sh docker
	@$(PY) -m pytest -v -s tests/docker

# inetpy in projects of others: rebar3, Mix, releases, wheels. Each test begins in an empty folder.
test-packaging: $(VENV)/.test build
	@$(PY) -m pytest tests/packaging

# inetpy in tests of others: pytest and its fixtures, Common Test, EUnit and ExUnit.
test-testing: $(VENV)/.test build
	@$(PY) -m pip install --quiet --disable-pip-version-check --group test --group testing-tests
	@$(PY) -m pytest tests/testing

# OTP's `socket` through Python: the scenarios of erl/test/xs_*.erl, and the whole node. And what follows on a bug in any
# method of any socket.
test-sockets: $(VENV)/.test build erl/test/ebin/.built
	@$(PY) -m pytest tests/sockets

# Random tests, ten times as many as elsewhere, from a number by chance. SEED=N repeats a run; ARGS are for pytest. The tests
# are in several folders: tests/network and tests/sockets are not in what pytest does by itself.
random: $(VENV)/.test build erl/test/ebin/.built
	@seed=$${SEED:-$$(shuf -i 1-999999999 -n 1)}; echo "== SEED=$$seed =="; \
	TEST_SEED=$$seed TEST_EXAMPLES=3000 $(PY) -m pytest --timeout 3600 --hypothesis-seed $$seed \
	  -v -o 'norecursedirs=.* _* apps docker failures packaging testing' -m 'random or hypothesis' $(ARGS) tests

# Sends a million mutated frames to a bridge. SEED=N repeats a run.
fuzz: build
	@$(PY) tests/fuzz_bridge.py --frames 1000000 $(if $(SEED),--seed $(SEED))

lint: $(VENV)/.test build erl/test/ebin/.built
	@echo "== ruff, mypy =="
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(MAKE) --no-print-directory xref dialyzer

xref: erl/ebin/inetpy.app erl/tools/ebin/.built
	@echo "== xref =="
	@escript erl/test/xref.escript erl/ebin erl/tools/ebin

# The type table of OTP is built once and takes a minute.
_build/otp.plt:
	@echo "== dialyzer: learning the types of OTP (once) =="
	@mkdir -p _build
	@dialyzer --build_plt --quiet --output_plt $@ --apps erts kernel stdlib crypto common_test

dialyzer: _build/otp.plt erl/ebin/inetpy.app erl/tools/ebin/.built
	@echo "== dialyzer =="
	@dialyzer --quiet --plt $< -Wunmatched_returns -Werror_handling erl/ebin erl/tools/ebin

bench: build
	@$(PY) -m pip install --quiet --disable-pip-version-check --group bench
	@$(VENV)/bin/inetpy bench --output _build/bench.json --plot _build/bench.png
	@echo "_build/bench.json, _build/bench.png"

bench-codec: $(VENV)/.test
	@$(PY) tests/bench_codec.py

crosscheck: build erl/test/ebin/.built
	@$(VENV)/bin/inetpy crosscheck --backends inetpy,node,node_by_address,memory,serve --html _build/crosscheck.html
	@echo "== without the fast paths =="
	@INETPY_FAST=0 $(VENV)/bin/inetpy crosscheck --backends inetpy

format: $(VENV)/.test
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(VENV) _build erl/ebin erl/hook/ebin erl/tools/ebin erl/test/ebin .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- what is built ------------------------------------------------------------

$(VENV)/.base: pyproject.toml
	@scripts/debian.sh build
	@echo "== virtual environment =="
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.tools: $(VENV)/.base setup.py bridge/inetpy/codec/_compiled.pyx
	@echo "== Python packages, and the compiled codec =="
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[tools,uvloop]'
	@$(PY) scripts/warn_if_pure.py
	@touch $@

$(VENV)/.test: $(VENV)/.tools
	@scripts/debian.sh test
	@echo "== Python packages for tests =="
	@$(PY) -m pip install --quiet --disable-pip-version-check --group test
	@touch $@

# The folders are named too: they change when a module goes, whose beam must go with it.
erl/ebin/inetpy.app: $(ERL_SOURCES) $(ERL_HEADERS) erl/src erl/src/inetpy.app.src scripts/app.escript scripts/docs.escript | $(VENV)/.base
	@echo "== Erlang =="
	@mkdir -p erl/ebin erl/hook/ebin
	@rm -f erl/ebin/*.beam erl/hook/ebin/*.beam
	@$(ERLC) +warn_missing_spec -pa erl/ebin -o erl/ebin $(ERL_SOURCES)
	@escript scripts/docs.escript chunks erl/src erl/ebin
	@escript scripts/app.escript erl/src erl/ebin erl/hook/ebin

# What only the command needs.
erl/tools/ebin/.built: $(TOOL_SOURCES) erl/ebin/inetpy.app
	@mkdir -p erl/tools/ebin
	@$(ERLC) +warn_missing_spec -o erl/tools/ebin $(TOOL_SOURCES)
	@touch $@

# A behaviour is compiled before the modules that have it.
erl/test/ebin/.built: $(TEST_SOURCES) erl/ebin/inetpy.app
	@mkdir -p erl/test/ebin
	@$(ERLC) -pa erl/ebin -pa erl/test/ebin -o erl/test/ebin erl/test/inetpy_xc_random.erl $(filter-out %/inetpy_xc_random.erl,$(TEST_SOURCES))
	@touch $@
