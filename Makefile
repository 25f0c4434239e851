# Tasks of the project. Each sets up .venv by itself; the only requirement is Python 3.11 or later.
#   make demo       train, test and report on the built-in synthetic data set
#   make test       the test suite
#   make check      lint (format, types), contracts (import direction), materials (bill, advisories)
#   make docs       the site of docs/, into dist/docs
#   make format     rewrite files in the house style
#   make fuzz       changed files of every format, read in twenty minutes at most
#   make benchmark  the result tables on real data (an hour or more of training)

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
EXTRAS := .venv/.extras
DATA := $(or $(KGDX_DATA),../shared/data)

.PHONY: demo test check lint contracts materials docs format fuzz benchmark viewer

demo: $(READY)
	$(BIN)/kgdx demo

test: $(EXTRAS)
	$(BIN)/pytest --numprocesses logical --dist loadfile $(PYTEST_OPTIONS)

check: lint contracts materials

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/pytest tests/contracts tests/test_architecture.py

materials: $(READY)
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --no-validate --output-reproducible \
	  -o dist/materials.cdx.json $(BIN)/python
	$(BIN)/python .ci/advisories.py

docs: $(EXTRAS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file .ci/mkdocs.yml

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: $(READY)
	PYTHONPATH=tests/fuzz $(BIN)/python -m fuzzing $(FUZZ_OPTIONS)

benchmark: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[benchmark,ontologies]'
	$(BIN)/python tests/benchmarks/reading.py
	$(BIN)/python tests/benchmarks/scale_data.py
	$(BIN)/python tests/benchmarks/data_folders.py --root $(DATA)
	$(BIN)/python tests/benchmarks/feature_cache.py --pictures $(DATA)/openi/images
	$(BIN)/python tests/benchmarks/real_data.py openi --root $(DATA)
	$(BIN)/python tests/benchmarks/real_data.py covid --root $(DATA)
	$(BIN)/python tests/benchmarks/zero_shot.py --root $(DATA)
	$(BIN)/python tests/benchmarks/planted_worlds.py
	$(BIN)/python tests/benchmarks/report_labels.py --root $(DATA)
	$(BIN)/python tests/benchmarks/dialogues.py --root $(DATA)
	$(BIN)/python tests/benchmarks/graph_tools.py --root $(DATA)
	$(BIN)/python tests/benchmarks/bilingual.py --root $(DATA)
	$(BIN)/python tests/benchmarks/bootstrap_speed.py
	$(BIN)/python tests/benchmarks/untrained_graph.py --root $(DATA)
	$(BIN)/python tests/benchmarks/link_prediction.py
	$(BIN)/python tests/benchmarks/link_speed.py
	$(BIN)/python tests/benchmarks/link_prediction.py --shipped
	$(BIN)/python tests/benchmarks/graph_scale.py
	$(BIN)/python tests/benchmarks/graph_page.py
	$(BIN)/python tests/benchmarks/paper_steps.py

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kgdx needs Python 3.11 or later: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[weights,ontologies,sign,develop]'
	touch $@

# What the tests need beside: extras that neither the demo nor the checks install.
$(EXTRAS): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs,track,tune]'
	touch $@

# Drawing library of the graph page, updated from its npm package (needs npm).
CYTOSCAPE := 3.34.4
viewer:
	scratch=$$(mktemp -d) && (cd $$scratch && npm pack --silent cytoscape@$(CYTOSCAPE) && tar xzf cytoscape-*.tgz) && \
	  sed -E 's#https?://##g' $$scratch/package/dist/cytoscape.min.js > kg/render/viewer/cytoscape.min.js && \
	  cp $$scratch/package/LICENSE kg/render/viewer/cytoscape.LICENSE && rm -r $$scratch
