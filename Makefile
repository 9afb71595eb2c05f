# Every target sets itself up: a virtual environment in .venv, with the package installed from this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AUDIT := .venv-audit
OLDEST := .venv-oldest
RESULTS ?= results/local
WORKERS ?= 2
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup bench report speed check rank test test-slow oldest test-oldest lint audit dist wheel-check citation clean

help:  ## Show this list.
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):[^#]*## */\1|/' | while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: $(STAMP)  ## Create .venv and install the package with its development tools.

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(STAMP)

bench: $(STAMP)  ## Run the default study (what is missing of it), then draw figures and a report.
	$(BIN)/ue-bench study default --results $(RESULTS) --workers $(WORKERS)
	$(BIN)/ue-bench report --results $(RESULTS)

report: $(STAMP)  ## Draw figures, tables and the report again, from records alone.
	$(BIN)/ue-bench report --results $(RESULTS)

speed: $(STAMP)  ## Measure the speed of everything, beside its peers and its limit.
	$(BIN)/ue-bench speed --results $(RESULTS)

check: $(STAMP)  ## Check the published records, and the numbers in README and docs against them.
	$(BIN)/ue-bench check

rank: $(STAMP)  ## Rank the strategies of others, which wait in contributed/, among the published ones.
	@for file in $(wildcard contributed/*.py); do $(BIN)/ue-bench rank $$file --results $(RESULTS) --workers $(WORKERS) || exit 1; done

test: $(STAMP)  ## Check the published records and run the tests; a fault of one does not hide the other's.
	$(BIN)/ue-bench check; checked=$$?; $(BIN)/python -m pytest; tested=$$?; \
	if [ $$checked -ne 0 ]; then echo "ue-bench check found faults: see above the tests"; fi; \
	exit $$((checked || tested))

test-slow: $(STAMP)  ## Run the slow tests too.
	$(BIN)/python -m pytest -m ''

# What is of the tree, its pages, its scripts and its records alone is the same with any version; so are formulas, the
# laws and the statistics of records, processes that are killed, limited or in trouble, zips and downloads, known
# answers, equal numbers in any surroundings, what a browser does with the report's page, the peers of `ue-bench speed`,
# and advice, whose runs are as those that other tests make.
SAME_IN_OLDEST := advise speed strategies/formulas study/test_call_depth.py study/test_known_answer.py \
	data/test_data_archives.py data/test_data_fetch.py \
	$(patsubst %,cli/test_%.py,effort_laws output recipe_laws seed_laws stops) \
	strategies/test_slots_elsewhere.py study/test_raising_plugins.py \
	$(patsubst %,report/test_%.py,best_set board intervals report_calibration) \
	$(patsubst %,report/test_%.py,report_effort report_names report_page search_luck) \
	$(patsubst %,whole/test_%.py,architecture docs equal_numbers fuzz_cli fuzz_records last_bits published) \
	$(patsubst %,whole/test_%.py,readme safe_path survival_crash survival_kill survival_limits survival_trouble)

oldest: $(OLDEST)/.installed  ## Create .venv-oldest, with the oldest allowed version of every dependency.

test-oldest: oldest  ## Run the tests with the oldest allowed version of every dependency, in .venv-oldest.
	$(OLDEST)/bin/python -m pytest $(SAME_IN_OLDEST:%=--ignore tests/%)

$(OLDEST)/.installed: pyproject.toml tests/helpers/oldest.py
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python tests/helpers/oldest.py > $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/oldest.txt --editable '.[dev]'
	@touch $(OLDEST)/.installed

lint: $(STAMP)  ## Check style, types and what is easily unsafe.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit -q -c pyproject.toml -r ue_bench studies

audit: $(STAMP)  ## Look up known vulnerabilities of the libraries in .venv (asks a public service; its tool has a .venv-audit).
	test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && $(AUDIT)/bin/python -m pip install --quiet pip-audit; }
	$(AUDIT)/bin/pip-audit --skip-editable --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

dist: $(STAMP)  ## Build the source archive and the wheel into dist/.
	rm -rf build dist
	$(BIN)/python -m build

wheel-check: $(STAMP)  ## Build both, install the wheel alone in clean environments, and use it there.
	$(BIN)/python -m pytest -n 0 -m '' tests/whole/test_package.py

citation:  ## Write the project's address, which is set in pyproject.toml, into CITATION.cff.
	address=$$(sed -n 's/^Repository = "\([^"]*\)".*/\1/p' pyproject.toml) && \
	sed "s|^repository-code: .*|repository-code: \"$$address\"|" CITATION.cff > CITATION.new && mv CITATION.new CITATION.cff

clean:  ## Remove the virtual environment and caches. Records and the data cache stay.
	rm -rf $(VENV) $(AUDIT) $(OLDEST) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
