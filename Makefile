# Every target sets up the environment by itself, see docker/run. With SUITE=sid, a variable that make
# hands on, it is that of another Debian release.
RUN := docker/run
DEMO := cases/breast_cancer.toml

.PHONY: help demo docs paper pictures gallery bench test smoke torture mutants audit lint shell clean

help: ## Show the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

demo: ## Train the case of the README and draw its pictures
	$(RUN) mfresnet run $(DEMO) --overwrite

pictures: demo ## Make the pictures of README and docs/ again
	cp results/breast_cancer/pictures/density.png docs/pictures/breast_cancer.png
	cp results/breast_cancer/pictures/density.webp docs/pictures/breast_cancer.webp
	$(RUN) python3 docs/rooms.py
	$(RUN) python3 cases/studies/control_limit.py
	cp results/control_limit/picture.png docs/pictures/control_limit.png

docs: ## Build the book, build/book/site/index.html
	docs/build.sh

paper: ## Build the paper, build/paper/paper.pdf, where pandoc and LaTeX are or can be installed
	docs/paper/build.sh

gallery: ## Run all cases and studies and write one page of pictures, results/gallery/index.html
	$(RUN) mfresnet gallery

bench: ## Measure everything beside its peers, docs/benchmarks.md; QUICK=1 for small sizes, build/peers/quick
	benchmarks/peers/run.sh $(if $(QUICK),--quick)

test: ## Run all tests, those of tests/parallel on 1, 2 and 3 ranks
	$(RUN) python3 -m mpi4py -m pytest tests
	$(RUN) mpirun -n 2 python3 -m mpi4py -m pytest --color=no tests/parallel
	$(RUN) mpirun -n 3 python3 -m mpi4py -m pytest --color=no tests/parallel

smoke: ## Run one test of each kind, those of tests/parallel on 1 and 2 ranks
	$(RUN) python3 -m mpi4py -m pytest -m smoke tests
	$(RUN) mpirun -n 2 python3 -m mpi4py -m pytest --color=no -m smoke tests/parallel

torture: ## Try to break mfresnet for half an hour; writes docs/reliability.md
	$(RUN) python3 tests/torture

mutants: ## Change the core in many places; the tests must find each; writes docs/reliability.md
	$(RUN) python3 tests/torture/mutants.py

audit: ## Look for known vulnerabilities in what comes from PyPI
	python3 tests/torture/audit.py

lint: ## Check style, types and the order of imports
	$(RUN) ruff check --no-cache .
	$(RUN) ruff format --no-cache --check .
	$(RUN) mypy --cache-dir=/dev/null
	$(RUN) lint-imports --no-cache

shell: ## Open a shell in the environment
	$(RUN) bash

clean: ## Remove what runs and tools have left in the checkout
	rm -rf results build dist solver/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
