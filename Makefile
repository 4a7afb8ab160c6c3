# One virtual environment serves every target; VENV=path puts it elsewhere.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# Processes that share the tests.
WORKERS ?= 2
INSTALLED := $(VENV)/.installed
IMAGE ?= $(shell $(BIN)/python -c "import sklearn, pathlib; print(pathlib.Path(sklearn.__file__).parent / 'datasets/images/china.jpg')")
NAME ?= fcn8s_mobilenet_camvid

.PHONY: demo test test-entries test-endurance test-clients lint bench cards clean

demo: $(INSTALLED)           ## a photograph segmented, three formats exported, proven and timed
	$(BIN)/segattn predict $(NAME) $(IMAGE) --output demo
	$(BIN)/segattn benchmark $(NAME) --formats saved_model,tflite-float32,onnx --output demo

test: $(INSTALLED) $(VENV)/.backends   ## every test; with KERAS_SEGATTN_DATA set also those on real data
	$(BIN)/python -m ruff check .
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-entries: $(INSTALLED)   ## every entry exported and proven in every format and precision: a quarter of an hour
	$(BIN)/python -m pytest -m every_entry

test-endurance: $(INSTALLED)   ## trainings of minutes: one that is killed ten times, and entries of language on own data
	$(BIN)/python -m pytest -m endurance

test-clients: $(INSTALLED)   ## the exported files in clients of others, which this installs (Chromium through apt)
	$(BIN)/python -m pip install --quiet -e ".[clients]"
	-cd examples/web && npm install --ignore-scripts --no-package-lock --no-audit --no-fund
	-command -v chromium >/dev/null || { apt-get update -qq && apt-get install -qq -y chromium; }
	$(BIN)/python -m pytest tests/clients

lint: $(INSTALLED)
	$(BIN)/python -m ruff check .

bench: $(INSTALLED)
	$(BIN)/segattn benchmark $(NAME)
	$(BIN)/python benchmarks/predict_from_shell.py
	$(BIN)/python benchmarks/upsampling.py
	$(BIN)/python benchmarks/export_cost.py

cards: $(INSTALLED)          ## model cards and the README's table, from recipes and results.csv
	$(BIN)/python -m keras_segattn.zoo.card

$(INSTALLED): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[cpu,export,train,lite,test]"
	touch $@

# The other two backends, for the tests that compare all three.
$(VENV)/.backends: $(INSTALLED)
	$(BIN)/python -m pip install --quiet -e ".[jax,torch]"
	touch $@

clean:
	rm -rf $(VENV) demo exports predictions
