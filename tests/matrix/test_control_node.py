"""Every supported ansible-core reads the playbooks, as a clone and as a collection, and renders the same texts.

In `make test` the oldest and the newest that this machine's Pythons can run; `make test-matrix` takes all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.matrix.cores import CORES, REPOSITORY, Core, chosen
from tests.render import test_contract, test_templates
from tests.render.platforms import evaluate, family
from tests.static import house

pytestmark = [pytest.mark.slow, pytest.mark.matrix]

HOSTS = """
slurm_cluster:
  children:
    controller: {hosts: {head: }}
    login: {hosts: {login1: }}
    compute: {hosts: {compute1: }}
"""
PLAYBOOKS = [path.stem for path in house.files(REPOSITORY, "playbooks/*.yml")]


@pytest.fixture(scope="module", params=chosen(), ids=lambda core: core.version)
def core(request: pytest.FixtureRequest) -> Core:
    found: Core = request.param
    return found


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "hosts.yml"
    path.write_text(HOSTS)
    return path


def test_the_clone(core: Core, hosts: Path) -> None:
    paths = [f"playbooks/{name}.yml" for name in PLAYBOOKS]
    output = core.run("ansible-playbook", "-i", hosts, "--syntax-check", *paths)
    assert output.count("playbook: ") == len(PLAYBOOKS)
    assert "DEPRECATION" not in output


def test_the_installed_collection(core: Core, hosts: Path, tmp_path: Path) -> None:
    core.run("ansible-galaxy", "collection", "build", "--force", "--output-path", tmp_path)
    archive = next(tmp_path.glob("*.tar.gz"))
    installed = tmp_path / "installed"
    core.run("ansible-galaxy", "collection", "install", "--offline", archive, "-p", installed, cwd=tmp_path)
    output = core.run(
        "ansible-playbook", "-i", hosts, "--list-tasks", "slipway.containers.site",
        cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed),
    )  # fmt: skip
    tasks = yaml.safe_load((REPOSITORY / "roles/enroot/tasks/configure.yml").read_text())
    assert all(task["name"] in output for task in tasks)


def test_the_templates(core: Core, tmp_path: Path) -> None:
    found = evaluate(test_templates.expressions, ("x86_64",), tmp_path, core.programs / "python")
    for (distribution, release, _architecture), texts in found.items():
        for path, text in texts.items():
            places = test_templates.golden_files(distribution, release, path)
            assert text == next(place for place in places if place.is_file()).read_text(), path


def test_the_contracts(core: Core, tmp_path: Path) -> None:
    found = evaluate(test_contract.names, ("aarch64",), tmp_path, core.programs / "python")
    for case, contract in found.items():
        own, common = test_contract.places(case)
        expected = (own if own.is_file() else common).read_text()
        assert test_contract.text_of(contract) == expected, family(case[0])


def test_what_is_said_to_be_supported() -> None:
    runtime = yaml.safe_load((REPOSITORY / "meta/runtime.yml").read_text())
    oldest, newest = (".".join(core.version.split(".")[:2]) for core in (CORES[0], CORES[-1]))
    assert runtime["requires_ansible"] == f">={oldest}.0"
    assert f"ansible-core {oldest} to {newest}" in (REPOSITORY / "README.md").read_text()
