# Every command of the repository. Continuous integration calls these targets and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
SITE ?= sandbox
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
SANDBOX := $(BIN)/python molecule/sandbox/sandbox.py
# What is started through .venv finds its programs there, whatever the caller's PATH holds.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A recipe of its own, because a fresh Debian lacks part of Python's venv.
$(VENV)/.complete: requirements.txt requirements-dev.txt .ci/make-venv
	@.ci/make-venv $(PYTHON)

.PHONY: venv
venv: $(VENV)/.complete ## Make the Python environment .venv with the pinned tools

##@ Sandbox
.PHONY: sandbox sandbox-status sandbox-shell sandbox-down
sandbox: venv ## Bring up a Slurm cluster in containers, converge it, accept its nodes
	$(SANDBOX) up
	$(SANDBOX) converge
	$(SANDBOX) accept

sandbox-status: venv ## Show nodes, Slurm's view of them, and what is a stand-in
	$(SANDBOX) status

sandbox-shell: venv ## Open a shell on a node (NODE=login1, default the head)
	$(SANDBOX) shell $(NODE)

sandbox-down: venv ## Remove the sandbox and everything it changed on this machine
	$(SANDBOX) down

##@ A site
.PHONY: preflight
preflight: venv ## Judge an inventory without changing anything (SITE=name below inventories/)
	$(BIN)/ansible-playbook -i inventories/$(SITE) playbooks/preflight.yml

.PHONY: validate
validate: venv ## Accept a site's nodes by real jobs, or say which is bad, why, and what to type (SITE=name)
	$(BIN)/python -m validate run -i inventories/$(SITE)

# DEBIAN_MIRROR and TLS_VERIFY=false are passed on.
.PHONY: probe-image
probe-image: ## Make a small image for validate_image and push it (REGISTRY=host:5000, SUITE=bookworm; needs podman, mmdebstrap)
	@test -n "$(REGISTRY)" || { echo 'Name a registry: make probe-image REGISTRY=head:5000' >&2; exit 2; }
	validate/image/build "$(REGISTRY)" $(SUITE)

##@ Tests
.PHONY: test lint unit static render role test-sandbox test-lifecycle test-matrix test-mixed test-many test-breaks faults
# One pytest run over everything, so that its summary is the last line and counts all of it.
test: venv ## Run everything: lint, unit, static, render, role and sandbox tests
	$(PYTEST)

lint: venv ## ansible-lint, yamllint, ruff, mypy, shellcheck
	$(PYTEST) tests/static/test_lint.py

unit: venv ## Modules, plugins and programs, without a host
	$(PYTEST) tests/unit

static: venv ## The house rules
	$(PYTEST) tests/static --ignore tests/static/test_lint.py

render: venv ## Templates of each distribution
	$(PYTEST) tests/render

role: venv ## One role on sandbox nodes (ROLE=enroot)
	@test -n "$(ROLE)" || { echo 'Name a role: make role ROLE=enroot' >&2; exit 2; }
	@# Molecule would believe in the nodes of its last run, which sandbox-down may have removed.
	$(BIN)/molecule reset --scenario-name "$(ROLE)"
	$(BIN)/molecule test --destroy=never --scenario-name "$(ROLE)"

test-sandbox: venv ## Everything that needs the sandbox; starts it
	$(PYTEST) -m 'sandbox or role'

test-lifecycle: venv ## Lifecycle hooks on nodes laid out as HyperPod's and ParallelCluster's; sandboxes of its own
	$(PYTEST) tests/lifecycle

faults: venv ## Break nodes and results in all known ways: does the acceptance suite name each? (FAULTS_CLEAN=20 good runs)
	FAULTS=all $(PYTEST) tests/faults tests/sandbox/test_fault_bench.py \
	  tests/sandbox/test_acceptance.py

# Python releases that have no name on PATH are left out, and with them what only they can run.
test-mixed: venv ## A cluster with two Slurms, the newer one of Debian's unstable release
	SANDBOX_MIXED=1 $(PYTEST) tests/sandbox/test_mixed_slurm.py

test-many: venv ## The acceptance suite on many nodes of which one is dead (SANDBOX_COMPUTE=32)
	SANDBOX_MANY=1 SANDBOX_COMPUTE=$${SANDBOX_COMPUTE:-32} $(PYTEST) tests/sandbox/test_many_nodes.py

test-breaks: venv ## Deliberate breaks of the hooks' code, each of which exactly one case must notice
	BREAKS=all $(PYTEST) tests/breaks

test-matrix: venv ## Every supported ansible-core, on the control node and against nodes of the sandbox
	MATRIX=all $(PYTEST) tests/matrix

##@ Products
.PHONY: docs bench collection bundle clean
docs: venv ## Generate defaults, README tables and docs/reference from the argument specs
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.cases
	$(BIN)/python -m docs.checks

bench: venv ## Measure against the floor, printed as a table (needs root; makes a sandbox of its own)
	$(BIN)/python bench/run.py

collection: venv ## Build the collection slipway.containers into dist/
	$(BIN)/ansible-galaxy collection build --force --output-path dist

# ARTIFACTS: a directory that has the lock's files; PLUGINS: built plugins; PACKAGES: a repository of the distribution's
# packages, for nodes that reach none; URL: where nodes will find the bundle.
bundle: venv ## Make the bundle that lifecycle hooks run from (SITE=name, ARTIFACTS=, PLUGINS=, PACKAGES=dir, URL=prefix)
	$(BIN)/python -m lifecycle.bundle --site inventories/$(SITE) --output dist \
	  $(if $(ARTIFACTS),--artifacts $(ARTIFACTS)) $(if $(PLUGINS),--plugins $(PLUGINS)) \
	  $(if $(PACKAGES),--packages $(PACKAGES)) $(if $(URL),--url $(URL))

clean: ## Remove what was built here; the sandbox is removed by sandbox-down
	rm -rf $(VENV) .cache .ansible .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -not -path './.git/*' -not -path './.sandbox/*' -prune -exec rm -rf {} +
