"""What playbooks/validate.yml hands to the suite, which is replaced by a program that only writes that down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from validate import command
from validate.errors import CannotStart

REPOSITORY = Path(__file__).parents[2]
COLLECTIONS = str(REPOSITORY / "playbooks/collections")
INVENTORY = {"validate_image": "/images/lab.sqsh", "validate_profiles": {"cpu": {"description": "of lab"}}}
SUITE = "import json, pathlib, sys; pathlib.Path('said').write_text(json.dumps(sys.argv[1:])); sys.exit(CODE)"
HOSTS = """
all:
  children:
    compute: {hosts: {gpu001: {}, gpu002.example.org: {}, gpu003: {}}}
    login: {hosts: {login1: {}}}
    controller: {hosts: {head: {}}}
"""
# No host is connected to, and nothing that is said of hosts is true of this machine.
EVERYWHERE = """
ansible_become: true
ansible_become_exe: /nonexistent/sudo
ansible_connection: ssh
ansible_python_interpreter: /nonexistent/python3
validate_image: /images/{{ site }}.sqsh
site: lab
validate_profiles: {cpu: {description: "of {{ site }}"}}
"""
pytestmark = pytest.mark.slow


class Place:
    """A collection of one playbook, with an inventory beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inventory = directory / "inventory"
        for name, text in (
            ("collection/validate/__init__.py", ""),
            ("collection/validate/__main__.py", SUITE.replace("CODE", "0")),
            ("inventory/hosts.yml", HOSTS),
            ("inventory/group_vars/all.yml", EVERYWHERE),
        ):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        (directory / "collection/playbooks").mkdir()
        shutil.copy(REPOSITORY / "playbooks/validate.yml", directory / "collection/playbooks")

    def play(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run it as somebody types it."""
        words = [sys.executable, "-m", "ansible", "playbook", "-i", str(self.inventory), *options]
        return subprocess.run(
            [*words, str(self.directory / "collection/playbooks/validate.yml")],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            },
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def said(self) -> list[str]:
        """The suite's arguments, none where it was not run."""
        found = self.directory / "collection/said"
        return list(json.loads(found.read_text())) if found.exists() else []

    def variables(self) -> dict[str, Any]:
        return dict(json.loads(self.said[self.said.index("--variables") + 1]))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_run_of_all_nodes_is_not_limited_and_writes_beside_the_inventory(place: Place) -> None:
    done = place.play()
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.said[:-1] == [
        "run", f"--inventory={place.inventory}", "--output", f"{place.inventory}/.validate", "--variables",
    ]  # fmt: skip
    assert place.variables() == INVENTORY


def test_a_limit_and_extra_variables_reach_the_suite(place: Place) -> None:
    more = {"validate_drain": True, "validate_workloads": ["pytorch"], "validate_arguments": ["--only", "N-12"]}
    done = place.play("--limit", "gpu001,gpu002*,head", "-e", "validate_tier=deep", "-e", json.dumps(more))
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.said[-5:] == ["--limit", "gpu001,gpu002.example.org", "--drain", "--only", "N-12"]
    assert place.variables() == {**INVENTORY, "validate_tier": "deep", "validate_workloads": ["pytorch"]}


def test_what_is_for_the_playbook_alone_may_lie_in_the_inventory(place: Place) -> None:
    done = place.play("-e", "validate_resume=yes validate_drain=false validate_output=/elsewhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--resume" in place.said and "--drain" not in place.said
    assert place.said[place.said.index("--output") + 1] == "/elsewhere" and place.variables() == INVENTORY


def test_a_limit_without_a_node_is_refused_by_the_suite(place: Place) -> None:
    place.play("--limit", "login1")
    assert place.said[-2:] == ["--limit", ""]
    with pytest.raises(CannotStart, match="--limit names no compute node"):
        command.nodes_of("")


def test_an_inventory_without_hosts_is_refused(place: Place) -> None:
    (place.inventory / "hosts.yml").write_text("all: {}\n")
    done = place.play()
    assert done.returncode != 0 and "name the inventory with -i" in done.stdout
    assert not place.said


@pytest.mark.parametrize("code", [1, 3])
def test_what_is_not_accepted_fails_the_play_and_a_check_starts_nothing(place: Place, code: int) -> None:
    """The text holds for a run that could not start, too: there is no report then."""
    main = place.directory / "collection/validate/__main__.py"
    main.write_text(SUITE.replace("CODE", str(code)))
    done = place.play("--check")
    assert done.returncode != 0 and f"not accepted (exit code {code}): the text above says" in done.stdout
    assert place.said[-1] == "--dry-run"
