# Two commands: `make quickstart` and `make test`. Both make their own environment in .venv.
# `make test FAMILY=gan` runs what one generative family can break, and `make test-all` the longer parts too.

PYTHON ?= python3
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check
RUN = .venv/bin/python
# A worker that crashes is not replaced: pytest-xdist 3.8 waits for ever for the tests of the one that takes its place.
TESTS = launch/tcmalloc.sh $(RUN) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --max-worker-restart=0
WORKDIR ?= runs/quickstart
ENVIRONMENT ?= torch
LOCK = --generate-hashes --custom-compile-command='make lock' --no-annotate --python-platform linux --upgrade --quiet

.PHONY: quickstart test test-all parity peers soak lock sbom check lint clean

quickstart: .venv/core  ## train, evaluate and sample a diffusion model on handwritten digits
	launch/tcmalloc.sh $(RUN) main.py --config=configs/ddpm_digits.py --workdir=$(WORKDIR)
	@echo
	@echo "Look at  $(WORKDIR)/report.html  and the newest picture in  $(WORKDIR)/samples/"
	@sed -n 's/.*\(Expected: .*\)/\1/p' configs/ddpm_digits.py

test: .venv/test  ## the suite but for its longer parts; FAMILY=gan: what that family can break
	$(TESTS) $(if $(FAMILY),--family=$(FAMILY),-m 'not long') --durations=15

test-all: .venv/test parity  ## the whole suite
	$(TESTS) --durations=30

parity: .venv-parity/ready  ## measures against the PyTorch packages that others measure with
	.venv-parity/bin/python -m pytest tests/parity

peers: .venv-$(ENVIRONMENT)/ready  ## an environment of those whom benchmarks/ measures beside us; ENVIRONMENT=…

soak: .venv/test  ## interrupt, damage and starve real runs; SEED=… repeats one
	$(RUN) -m tests.soak --write $(if $(SEED),--seed=$(SEED))

lock: .venv/core  ## requirements/lock-*.txt: every package with its hashes
	$(PIP) uv
	$(RUN) -m uv pip compile setup.py --constraint requirements/constraints.txt $(LOCK) --python-version 3.11 -o requirements/lock-3.11.txt
	$(RUN) -m uv pip compile setup.py $(LOCK) --python-version 3.12 -o requirements/lock-3.12.txt
	$(RUN) -m uv pip compile setup.py --extra cuda --constraint requirements/lock-3.12.txt $(LOCK) --python-version 3.12 -o requirements/lock-cuda-3.12.txt

sbom: .venv-sbom/ready  ## sbom.json: what a plain installation is made of, with licences, as CycloneDX; from PYTHON=python3.12
	$(PYTHON) -m venv .venv-cyclonedx
	.venv-cyclonedx/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom
	.venv-cyclonedx/bin/cyclonedx-py environment .venv-sbom/bin/python --gather-license-texts --output-reproducible --of JSON -o .venv-sbom/environment.json
	$(PYTHON) requirements/sbom.py requirements/lock-3.12.txt <.venv-sbom/environment.json >sbom.json

check: .venv/lint  ## compile, style, types
	$(RUN) -m compileall -q aigc_jax configs launch main.py
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

.venv-sbom/ready: setup.py requirements/lock-3.12.txt
	$(PYTHON) -c 'import sys; sys.exit("The lock file is for Python 3.12: make sbom PYTHON=python3.12" if sys.version_info[:2] != (3, 12) else 0)'
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock-3.12.txt
	.venv-sbom/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/core: setup.py requirements/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PIP) --editable . --constraint requirements/constraints.txt
	@touch $@

.venv/test: .venv/core
	$(PIP) --editable '.[test]' --constraint requirements/constraints.txt
	@touch $@

.venv-parity/ready: setup.py requirements/constraints.txt requirements/parity.txt
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' \
		--requirement requirements/parity.txt --constraint requirements/constraints.txt
	@touch $@

.venv-$(ENVIRONMENT)/ready: benchmarks/requirements-$(ENVIRONMENT).txt
	$(PYTHON) -m venv .venv-$(ENVIRONMENT)
	.venv-$(ENVIRONMENT)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv/lint: .venv/core
	$(PIP) --editable '.[lint]' --constraint requirements/constraints.txt
	@touch $@

clean:
	rm -rf .venv .venv-* runs
