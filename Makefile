# Two commands do everything on a fresh machine: `make fit` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WORKERS ?= auto

.PHONY: fit test lint docs notebooks bench fidelity clean

fit: $(VENV)/.installed
	$(BIN)/hwscale fit --platform stm32h743 --net xinet

test: lint $(VENV)/.convert $(VENV)/.notebooks $(VENV)/.docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --line-length 100 notebooks/*.ipynb notebooks/execute.py
	$(BIN)/ruff format --check --line-length 100 notebooks/*.ipynb
	$(BIN)/ruff format --check notebooks/execute.py
	$(BIN)/mypy
	$(BIN)/lint-imports

# build/docs/index.html, which reads from disk as well as from a server
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet --builder html docs build/docs

bench: $(VENV)/.bench
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks

fidelity: $(VENV)/.installed
	$(BIN)/python -m benchmarks.fidelity
	$(BIN)/python -m benchmarks.atomnet_rows
	$(BIN)/python -m benchmarks.fidelity_runtimes
	$(BIN)/python -m benchmarks.schedules
	$(BIN)/python -m benchmarks.latency_report
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.additivity --write

# execute them and store their outputs
notebooks: $(VENV)/.notebooks
	$(BIN)/python notebooks/execute.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("hwscale needs Python 3.11 or newer, got " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# torch first and alone: with it in place nothing below looks for another build of it
$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	$(PIP) torch
	touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	touch $@

# TensorFlow Lite Micro and the converter: the tests convert networks from scratch and run them
$(VENV)/.convert: pyproject.toml constraints.txt $(VENV)/.dev
	$(PIP) --editable '.[convert]'
	touch $@

# plots and reports; where chromium and chromium-driver are installed, the tests open the reports in it
$(VENV)/.viz: pyproject.toml constraints.txt $(VENV)/.dev
	$(PIP) --editable '.[viz]'
	touch $@

$(VENV)/.docs: pyproject.toml constraints.txt $(VENV)/.installed
	$(PIP) --editable '.[docs]'
	touch $@

# kernel and widgets of the notebooks, which the tests execute
$(VENV)/.notebooks: pyproject.toml constraints.txt $(VENV)/.viz
	$(PIP) --editable '.[notebooks]'
	touch $@

$(VENV)/.bench: pyproject.toml $(VENV)/.dev
	$(PIP) --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
