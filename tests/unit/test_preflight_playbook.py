"""What playbooks/preflight.yml looks for on nodes, against what roles refuse by their own data."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.containers.plugins.action.preflight import read_roles
from ansible_collections.slipway.containers.plugins.module_utils import preflight, preflight_cluster, preflight_nodes

from tests.unit import plays

REPOSITORY = Path(__file__).parents[2]
ROLES = read_roles(str(REPOSITORY / "roles"))
FAMILIES = {family: read_roles(str(REPOSITORY / "roles"), family) for family in ("Debian", "RedHat")}
NODE = {"distribution": "Debian", "distribution_major_version": "13", "packages": {}, "files": {}}


def looked_for() -> dict[str, Any]:
    (play,) = yaml.safe_load((REPOSITORY / "playbooks/preflight.yml").read_text())
    return dict(play["tasks"][0]["slipway.containers.node_facts"])


@pytest.mark.slow
def test_only_a_list_of_names_reaches_the_node(tmp_path: Path) -> None:
    """Anything else would be the module's to refuse, on every host, without naming the variable."""
    given = [["ada", "bob"], [], {"ada": True}, None, "ada", ["ada", 5, None, ["bob"]]]
    content = "{{ query('vars', %s) | to_json }}" % ", ".join(f"'answer_{number}'" for number in range(len(given)))
    tasks: list[dict[str, Any]] = [
        {
            "ansible.builtin.set_fact": {f"answer_{number}": looked_for()["accounts"]},
            "vars": {"docker_users": value},
        }
        for number, value in enumerate(given)
    ]
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": str(tmp_path / "answers"), "mode": "0644"}})
    done = plays.run(tmp_path, {"hosts": "localhost", "gather_facts": False, "tasks": tasks})
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads((tmp_path / "answers").read_text())
    assert answers == [["ada", "bob"], [], [], [], ["ada"], ["ada", "bob"]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", sorted(ROLES))
def test_every_package_and_path_that_a_role_refuses_is_looked_for(name: str, family: str) -> None:
    role = FAMILIES[family][name]
    packages = set(role.own("packages", []))
    for refusal in role.own("refusals", []):
        packages.update(*(refusal.get(key, ()) for key in ("installed", "not_installed", "denied")))
    conflicts = role.own("conflicts", [])
    packages |= {item["package"] for item in conflicts if "package" in item}
    paths = {item["path"] for item in conflicts if "path" in item}
    assert packages - set(looked_for()["packages"]) == set()
    assert [path for path in paths if not any(fnmatch(path, pattern) for pattern in looked_for()["files"])] == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"packages": {"podman-docker": [{"version": "5.4.2"}]}}, "apt-get remove podman-docker"),
        ({"files": {"/snap/bin/docker": {"kind": "link"}}}, "snap remove docker"),
    ],
)
def test_another_docker_is_in_the_way(found: dict[str, Any], said: str) -> None:
    docker = ROLES["docker"]
    assert preflight.judge_component(docker, {"ansible_facts": NODE}, str, docker.inputs) == []
    (finding,) = preflight.judge_component(docker, {"ansible_facts": {**NODE, **found}}, str, docker.inputs)
    assert said in finding.allowed and "docker_state: unmanaged" in finding.allowed


@pytest.mark.parametrize(
    ("wanted", "installed", "said"),
    [
        # A denied one is replaced by a newer one that is wanted, and is refused where nothing would replace it.
        ("1.20.0", "1.17.7-1", []),
        ("1.20.0", "1.18.0-1", []),
        ("1.20.0", "1.21.0-1", []),
        ("1.19.0", "1.18.0-1", ["CVE-2026-24260"]),
    ],
)
def test_a_denied_toolkit_on_a_node(wanted: str, installed: str, said: list[str]) -> None:
    toolkit = ROLES["nvidia_container_toolkit"]
    packages = {package: [{"version": installed}] for package in toolkit.own("packages", [])}
    found = preflight_nodes.judge_versions(toolkit, wanted, packages)
    causes = {finding.problem for finding in found if finding.variable.endswith("_version")}
    assert len(causes) == len(said) and all(text in cause for text, cause in zip(said, causes, strict=True))
    # Each package that stays is named as well.
    assert len(found) == len(said) * (1 + len(packages))


@pytest.mark.parametrize("name", ["docker", "enroot", "pyxis", "apptainer"])
@pytest.mark.parametrize(("state", "refused"), [("present", True), ("absent", False), ("unmanaged", False)])
def test_storage_stays_while_something_keeps_data_there(name: str, state: str, refused: bool) -> None:
    states = {"storage_state": "absent", "remove_data": True, f"{name}_state": state}
    found = preflight_cluster.judge_needs(ROLES[name], ROLES, states, lambda value: value)
    assert [finding.variable for finding in found] == ["storage_state"] * refused


@pytest.mark.slow
@pytest.mark.parametrize("given", [{"ada": 1}, None, "ada", 5, [], ["ada", "bob"]], ids=str)
def test_what_is_no_list_reaches_its_judgement(tmp_path: Path, given: Any) -> None:
    """The module would fail before, naming a parameter and no variable."""
    asked = looked_for()
    words = {"accounts": asked["accounts"], "subid_users": asked["subid_users"]}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"docker_users": given, "apptainer_subid_users": given},
        "tasks": [{"slipway.containers.node_facts": words, "check_mode": True}],
    }
    done = plays.run(tmp_path, play)
    assert done.returncode == 0, done.stdout + done.stderr
