# Everything a fresh machine needs comes from here: a virtual environment in .venv, and Debian packages when root.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-cluster lab bench parity soak lint setup clean

demo: .make/installed  ## the main job, headless, on real parts
	@.ci/debian docker-registry skopeo nghttp2-client
	@$(BIN)/python notebooks/demo.py

test: .make/installed .make/cpp .make/jupyterlab-4.2/installed  ## every test, the notebooks and the browser included
	@.ci/debian docker.io docker-registry skopeo chromium fonts-dejavu-core nghttp2-client etcd-server
	@.ci/debian clang lld libc++-dev-wasm32 libclang-rt-dev-wasm32
	@.ci/peers cosign crane oras
	@.ci/rust
	@$(BIN)/python tests/cluster/servers/programs.py kube-apiserver
	@$(BIN)/python -m pytest
	@$(BIN)/python tests/cluster/run.py $(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=120 -p no:cacheprovider notebooks

test-cluster: .make/installed  ## filters through Envoy Gateway's and Istio's own control planes, built from their modules
	@.ci/debian docker-registry etcd-server
	@$(BIN)/python tests/cluster/servers/programs.py kube-apiserver envoy-gateway pilot-discovery pilot-agent
	@$(BIN)/python -c 'import sys; sys.path.insert(0, "tests/cluster"); from servers import crds, istio, programs; \
	  [programs.module(*each) for each in (crds.GATEWAY_API, crds.ENVOY_GATEWAY, crds.ISTIO, istio.ISTIO)]'
	@unshare --map-root-user --net $(BIN)/python -m pytest tests/control_plane

lab: .make/installed  ## JupyterLab on the tutorials
	@$(BIN)/python -m jupyterlab --notebook-dir notebooks $(if $(filter 0,$(shell id -u)),--allow-root) --LabApp.default_url=/lab/tree/01_quickstart.ipynb

bench: .make/installed  ## tables of what things cost here: build/bench.json, docs/languages.md
	@.ci/debian nghttp2-client docker-registry chromium fonts-dejavu-core
	@$(BIN)/python tests/benchmarks/run.py
	@$(BIN)/python tests/benchmarks/languages.py

parity: .make/installed  ## thousands of random exchanges through the embedded proxy and the real Envoy
	@$(BIN)/python tests/parity/run.py --exchanges 10000 --seed 1

soak: .make/installed  ## a million hostile cases and ten million exchanges
	@$(BIN)/python -m pip install --quiet 'atheris>=3'
	@$(BIN)/python tests/fuzz/run.py

lint: .make/installed  ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m ziglang fmt --check wasmhub_magics/proxy/src wasmhub_magics/guest/zig wasmhub_magics/examples
	@npm --prefix labextension run --silent lint

setup: .make/installed  ## the virtual environment with everything in it

SOURCES := hatch_build.py $(wildcard wasmhub_magics/proxy/src/*.zig wasmhub_magics/guest/*/src/* wasmhub_magics/guest/*/src/*/* labextension/*.json labextension/*.cjs) \
  $(shell find labextension/src labextension/style labextension/schema -type f)

.make/cpp: .make/installed wasmhub_magics/build/cpp_library.py  # the standard library of C++: what a wheel has in it
	@$(BIN)/python -c 'import hatch_build; hatch_build.make_cpp_library()'
	@touch $@

.make/installed: .make/environment $(SOURCES)  # generated parts of today's sources, the extension where JupyterLab looks
	@$(BIN)/python hatch_build.py
	@cp -r wasmhub_magics/labextension/. $(BIN)/../share/jupyter/labextensions/wasmhub-magics-lab
	@touch $@

.make/jupyterlab-4.2/installed: tests/browser/jupyterlab-4.2.txt  # a server of its own for the tests of older applications
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@echo "installing JupyterLab 4.2 and Notebook 7.2 into $(@D)"
	@$(@D)/bin/python -m pip install --quiet --requirement $<
	@touch $@

.make/environment: pyproject.toml
	@mkdir -p .make
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@command -v npm >/dev/null || { echo "Node 20.19 or later, with npm, is needed to build the runtimes and the JupyterLab extension" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the package and its tools into .venv"
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

clean:
	rm -rf .make .venv build dist labextension/lib labextension/node_modules wasmhub_magics/labextension
	rm -rf wasmhub_magics/guest/cpp/lib
	rm -f wasmhub_magics/proxy/host.wasm wasmhub_magics/guest/python/runtime.wasm
