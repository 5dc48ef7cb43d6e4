"""A host leaves the play only where no role would do anything: __<role>_idle against the conditions of its tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.render.platforms import variable_files
from tests.unit import plays
from tests.unit.plays import REPOSITORY

pytestmark = pytest.mark.slow

TOOLKIT = "nvidia_container_toolkit"
STATES = ("present", "absent", "unmanaged")
# Of each role what its conditions are made of, as it is where nothing is to be done.
ATOMS: dict[str, dict[str, Any]] = {
    "storage": {
        "__storage_asked": True,
        "__storage_chosen": True,
        "__storage_files_differ": False,
        "__storage_files": {"changed": False},
    },
    "registry": {"registry_credentials": [], "__registry_written": False},
    "docker": {"__docker_settled": True},
    "enroot": {
        "__enroot_install_needed": False,
        "__enroot_files_differ": False,
        "__enroot_apparmor_load_needed": False,
    },
    "apptainer": {
        "__apptainer_install_needed": False,
        "__apptainer_files_differ": False,
        "__apptainer_ranges_missing": False,
        "__apptainer_surplus_packages": [],
    },
    TOOLKIT: {
        f"__{TOOLKIT}_needed": True,
        f"__{TOOLKIT}_settled": True,
        f"__{TOOLKIT}_install_needed": False,
        f"__{TOOLKIT}_key_needed": False,
        f"__{TOOLKIT}_newer_kept": False,
        f"__{TOOLKIT}_files_differ": False,
        f"__{TOOLKIT}_docker_keys_missing": False,
        f"__{TOOLKIT}_docker_keys_unwanted": False,
    },
    "pyxis": {
        "__pyxis_settled": True,
        "__pyxis_build_missing": False,
        "__pyxis_builds": False,
        "__pyxis_adopts": False,
        "__pyxis_comparison_needed": False,
        "__pyxis_slurmd_stale": False,
        "__pyxis_copy_stale": False,
    },
}
OTHERS = {
    "__storage_files": {"changed": True},
    "__apptainer_surplus_packages": ["apptainer-suid"],
    "registry_credentials": [{"registry": "x"}],
}
# Where a role acts, and under what. Of keep.yml its own conditions count, for main.yml knows only the whole of them.
ENTRIES = {
    "storage": {"main": "true", "retire": "true"},
    "pyxis": {"main": "true", "unregister": "true"},
    TOOLKIT: {"main": "true", "keep": f"{TOOLKIT}_state == 'present' and __{TOOLKIT}_needed"},
}
ONLY_MAIN = {"main": "true"}
# What costs a call of its own, and changes nothing on a host.
HARMLESS = ("include_vars", "storage_facts")


def conditions(role: str, entry: str, above: str) -> Iterator[str]:
    """Yield under what each task of an entry point runs, those of imported files among them."""
    for task in yaml.safe_load((REPOSITORY / "roles" / role / "tasks" / (entry + ".yml")).read_text()):
        when = task.get("when", "true")
        own = " and ".join(f"({each})" for each in [above, *(when if isinstance(when, list) else [when])])
        imported = task.get("ansible.builtin.import_tasks")
        if imported:
            yield from conditions(role, imported.removesuffix(".yml"), own)
        elif not any(name.rpartition(".")[2] in HARMLESS for name in task):
            yield own


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every role as it is where nothing is to be done, in each state, and with one thing different."""
    for role, atoms in ATOMS.items():
        for state in STATES:
            yield role, {f"{role}_state": state, **atoms}
        for name, value in atoms.items():
            yield role, {f"{role}_state": "present", **atoms, name: OTHERS.get(name, not value)}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Role, variables, and {idle, acts: whether each task would run}, by one run of Ansible."""
    place = tmp_path_factory.mktemp("idle")
    known = list(cases())
    tasks: list[dict[str, Any]] = []
    for number, (role, variables) in enumerate(known):
        acts = [each for entry in ENTRIES.get(role, ONLY_MAIN).items() for each in conditions(role, *entry)]
        words = {"idle": "{{ __%s_idle | bool }}" % role, "acts": ["{{ (%s) | bool }}" % each for each in acts]}
        tasks.append({"ansible.builtin.set_fact": {f"answer_{number}": words}, "vars": variables})
    content = "{{ query('vars', %s) | to_json }}" % ", ".join(f"'answer_{number}'" for number in range(len(known)))
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": str(place / "answers.json"), "mode": "0644"}})
    files = variable_files("Debian", "13")
    done = plays.run(place, {"hosts": "localhost", "gather_facts": False, "vars_files": files, "tasks": tasks})
    assert done.returncode == 0, done.stdout + done.stderr
    return [
        (*case, answer) for case, answer in zip(known, json.loads((place / "answers.json").read_text()), strict=True)
    ]


def test_nothing_is_done_where_a_host_leaves(answers: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    for role, variables, answer in answers:
        assert not (answer["idle"] and any(answer["acts"])), (role, variables, answer)


def test_a_host_leaves_where_nothing_is_to_be_done(answers: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    for role, variables, answer in answers:
        if all(variables[name] == value for name, value in ATOMS[role].items()):
            assert answer["idle"] is (variables[f"{role}_state"] != "absent"), (role, variables, answer)


def test_whatever_is_different_keeps_a_host(answers: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    # These say what is done where something is.
    told = {f"__{TOOLKIT}_needed", "__pyxis_build_missing", "__pyxis_builds", "__pyxis_adopts"}
    # Where nobody asks for storage, the role does nothing.
    told.add("__storage_asked")
    # What the task before did, where something differed.
    told.add("__storage_files")
    for role, variables, answer in answers:
        different = [name for name, value in ATOMS[role].items() if variables[name] != value]
        if variables[f"{role}_state"] == "present" and set(different) - told:
            assert not answer["idle"], (role, variables)


def test_every_variable_of_a_condition_is_looked_at() -> None:
    """A new condition of a task has to be thought of here, and in __<role>_idle."""
    for role, atoms in ATOMS.items():
        for entry in ENTRIES.get(role, ONLY_MAIN).items():
            text = " ".join(conditions(role, *entry))
            words = {word.strip("()!,") for word in text.split() if f"{role}_" in word or "_state" in word}
            assert words <= {*atoms, f"{role}_state", f"__{TOOLKIT}_kept"}, (role, words)


def test_the_registration_is_acted_on_for_what_keeps_a_host() -> None:
    """register.yml asks all hosts together, so its conditions are no single host's."""
    tasks = yaml.safe_load((REPOSITORY / "roles/pyxis/tasks/compare.yml").read_text())
    assert tasks[0]["when"] == "__pyxis_comparison_needed | bool"
    noted = tasks[1]["ansible.builtin.set_fact"]
    assert noted["__pyxis_daemon_stale"] == "{{ __pyxis_slurmd_stale | bool or __pyxis_copy_stale | bool }}"
    assert tasks[2]["when"] == "__pyxis_any_registration_stale | bool or __pyxis_any_daemon_stale | bool"
    assert len(tasks) == 3
