# make quickstart · make test · make check · make bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Byte code is kept, whatever the shell says: without it TensorFlow alone takes ten seconds more,
# in each of the programs that quickstart and tests start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: quickstart test check format bench schema requirements clean system-packages

quickstart: $(VENV)/.installed
	$(BIN)/python tools/quickstart.py

test: $(VENV)/.installed-dev system-packages
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=25

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python tools/bench.py

schema: $(VENV)/.installed
	$(BIN)/python -c "from pathlib import Path; from kws.recipe_io import recipe_schema; Path('recipes/recipe.schema.json').write_text(recipe_schema())"

# Compile the short lists of direct dependencies into exact versions, for all supported Pythons.
requirements: $(VENV)/.installed-dev
	for list in requirements requirements-dev requirements-dask requirements-kokoro; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
	    $$list.in -o $$list.txt || exit 1; \
	done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	  sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python {v[0]}.{v[1]} found, 3.11 to 3.13 needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV) || { echo "no venv module: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
	touch $@

# Named, not installed: tests that need one of these are skipped without it.
system-packages:
	@missing=""; \
	command -v gcc >/dev/null || missing="$$missing gcc"; \
	command -v g++ >/dev/null || missing="$$missing g++"; \
	command -v arm-none-eabi-gcc >/dev/null || missing="$$missing gcc-arm-none-eabi libnewlib-arm-none-eabi"; \
	command -v qemu-system-arm >/dev/null || missing="$$missing qemu-system-arm"; \
	command -v pulseaudio >/dev/null || missing="$$missing pulseaudio"; \
	command -v paplay >/dev/null || missing="$$missing pulseaudio-utils"; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="$$missing chromium"; \
	ldconfig -p 2>/dev/null | grep -q libportaudio.so.2 || missing="$$missing libportaudio2"; \
	find /usr/lib -name libasound_module_pcm_pulse.so 2>/dev/null | grep -q . || missing="$$missing libasound2-plugins"; \
	if [ -n "$$missing" ]; then echo "some tests will be skipped; to run them: apt-get install$$missing"; fi

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
