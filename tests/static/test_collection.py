"""The repository is also a collection: it builds, installs offline, and runs from there as from a clone."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.static import house

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
HOSTS = """
slurm_cluster:
  children:
    controller: {hosts: {head: }}
    login: {hosts: {login1: }}
    compute: {hosts: {compute1: }}
"""


def run(program: str, *arguments: str | Path, cwd: Path, **variables: str) -> str:
    """Run a program of ansible-core; returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        cwd=cwd,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        pytest.fail("%s %s\n%s%s" % (program, arguments, done.stdout, done.stderr), pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the collection from the files under version control, as a clean clone would."""
    directory = tmp_path_factory.mktemp("collection")
    clone = directory / "clone"
    for path in house.files(ROOT):
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        target.chmod(path.stat().st_mode & 0o777)
    link = Path("playbooks/collections/ansible_collections/slipway/containers")
    (clone / link).parent.mkdir(parents=True, exist_ok=True)
    (clone / link).symlink_to((ROOT / link).readlink())
    run("ansible-galaxy", "collection", "build", "--output-path", directory, cwd=clone)
    return next(directory.glob("slipway-containers-*.tar.gz"))


@pytest.fixture(scope="module")
def installed(archive: Path) -> Path:
    """Install the archive into an empty directory, without a network."""
    path = archive.parent / "installed"
    run("ansible-galaxy", "collection", "install", "--offline", archive, "-p", path, cwd=archive.parent)
    (archive.parent / "hosts.yml").write_text(HOSTS)
    return path


def playbooks() -> list[str]:
    return [path.stem for path in house.files(ROOT, "playbooks/*.yml")]


def test_the_archive_holds_what_runs_and_nothing_else(archive: Path) -> None:
    with tarfile.open(archive) as content:
        names = content.getnames()
    assert {"playbooks/site.yml", "roles/enroot/tasks/main.yml", "plugins/modules/artifact.py"} <= set(names)
    unwanted = ("tests", "molecule", "bench", ".", "playbooks/collections", "inventories/sandbox")
    assert [name for name in names if name.startswith(unwanted)] == []


@pytest.mark.parametrize("name", playbooks())
def test_a_playbook_of_the_installed_collection(installed: Path, name: str) -> None:
    """Runs by its full name, from a directory that has nothing to do with the clone."""
    options = ["-i", "hosts.yml", "--syntax-check"]
    playbook = "slipway.containers." + name
    run("ansible-playbook", playbook, *options, cwd=installed.parent, ANSIBLE_COLLECTIONS_PATH=str(installed))


def test_the_installed_site_lists_its_tasks(installed: Path) -> None:
    options = ["-i", "hosts.yml", "--list-tasks"]
    playbook = "slipway.containers.site"
    output = run(
        "ansible-playbook", playbook, *options, cwd=installed.parent, ANSIBLE_COLLECTIONS_PATH=str(installed)
    )
    for role in ("storage", "enroot", "pyxis"):
        assert role in output


@pytest.mark.parametrize("name", playbooks())
def test_a_playbook_of_the_clone(tmp_path: Path, name: str) -> None:
    """Runs straight after clone, here and from anywhere else: the link beside the playbooks finds the collection."""
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(HOSTS)
    run("ansible-playbook", "-i", hosts, "playbooks/%s.yml" % name, "--syntax-check", cwd=ROOT)
    run("ansible-playbook", "-i", hosts, ROOT / "playbooks" / (name + ".yml"), "--syntax-check", cwd=tmp_path)


def test_every_module_has_documentation(installed: Path) -> None:
    modules = [
        "slipway.containers." + path.stem
        for path in house.files(ROOT, "plugins/modules/*.py")
        if not path.stem.startswith("_")
    ]
    run(
        "ansible-doc", "-t", "module", *modules, cwd=installed.parent, ANSIBLE_COLLECTIONS_PATH=str(installed)
    )
