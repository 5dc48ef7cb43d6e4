"""Every input that is wrong is reported, of all hosts in one message, before anything changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.sandbox import snapshots
from tests.sandbox.harness import ROOT, Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

WRONG = {
    "head": {"pyxis_build_timeout": "soon"},
    "login1": {"enroot_hook": ["50-slurm-pmi.sh"]},
    "compute1": {"enroot_version": "4.1.0"},
    "compute2": {
        "docker_users": {"alice": True},
        "registry_credentials": [{"registry": "nvcr.io", "username": "x", "password": "tell nobody"}],
    },
}
OLD_RELEASE = "sed -i s/^VERSION_ID=.*/VERSION_ID=11/ /usr/lib/os-release; echo 11.9 > /etc/debian_version"


@pytest.fixture(scope="module")
def refused(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of site.yml in which each host has something else that is wrong."""
    sandbox.settle()
    overlay = tmp_path_factory.mktemp("inventory") / "wrong.yml"
    overlay.write_text(yaml.safe_dump({"all": {"hosts": WRONG}}))
    keep = "cp -a /usr/lib/os-release /root/os-release; cp -a /etc/debian_version /root/debian_version"
    back = "mv /root/os-release /usr/lib/os-release; mv /root/debian_version /etc/debian_version"
    sandbox.ask("compute2", f"{keep}; {OLD_RELEASE}")
    earlier = snapshots.managed(sandbox)
    try:
        # The overlay alone would hide the files beside the sandbox's own inventory.
        run = sandbox.converge("--inventory", str(ROOT / "inventories/sandbox"), "--inventory", str(overlay))
    finally:
        sandbox.ask("compute2", back)
    assert snapshots.managed(sandbox) == earlier, "a refused run changed something"
    # Nothing changed, so nothing is to be put right.
    sandbox.settled = True
    return run.failed()


def message(run: Run) -> str:
    """Return the one message that every failed host shows."""
    found = set(run.failures.values())
    assert len(found) == 1, found
    return found.pop()


def test_a_wrong_type_names_host_variable_value_and_what_is_allowed(refused: Run) -> None:
    said = message(refused)
    assert "pyxis_build_timeout" in said and "soon" in said and "whole number" in said and "head" in said


def test_an_unknown_name_under_a_prefix_names_the_likely_one(refused: Run) -> None:
    said = message(refused)
    assert "enroot_hook: is not an input" in said and "did you mean enroot_hooks" in said and "login1" in said


def test_a_denied_version_gives_reason_and_link(refused: Run) -> None:
    said = message(refused)
    assert '"4.1.0"' in said and "issues/261" in said and "compute1" in said


def test_an_unsupported_distribution_names_the_supported_ones(refused: Run) -> None:
    said = message(refused)
    assert "Debian 11" in said and "12/13" in said and "compute2" in said


def test_what_modules_would_refuse_after_the_installation(refused: Run) -> None:
    said = message(refused)
    assert 'docker_users = {"alice": true}: is a dictionary' in said
    assert "registry_credentials = (hidden): registry_credentials[0] (nvcr.io): neither" in said
    assert "tell nobody" not in refused.output


def test_the_file_to_edit_is_named(refused: Run) -> None:
    assert str(Path("wrong.yml")) in message(refused)


def test_nothing_but_reading_was_done(refused: Run) -> None:
    assert refused.total("changed") == 0
