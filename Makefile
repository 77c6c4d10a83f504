# make demo   install the core into .venv and enlarge a real photograph
# make test   install what the tests need and run all of them
# make lint   format, lint and types
# make site   the page as a folder for any static host, with all that a browser needs to enlarge pictures by itself

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format site clean

demo: .venv/core
	$(BIN)/python examples/demo.py demo

test: .venv/dev
	$(BIN)/python -m pytest --numprocesses auto

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

site: .venv/core
	$(BIN)/python -m kakudai.serve.site site

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/core: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps spandrel einops
	touch $@ .venv/core

clean:
	rm -rf .venv demo site
