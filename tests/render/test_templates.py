"""Every template, as Ansible renders it on each distribution, against golden files.

`golden/any/` holds what every distribution gets, `golden/<distribution>-<release>/` where one gets something else.
`UPDATE=1 make render` writes the golden files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.containers.plugins.module_utils.files import MARKER

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
# ansible_facts['os_family'] of each distribution.
FAMILIES = {"Debian": "Debian", "Ubuntu": "Debian"}
FACTS = {
    "architecture": "x86_64",
    "packages": {},
    "packages_broken": [],
    "storage": {"root": "/scratch/slipway"},
    "slurm": {
        "series": "24.11",
        "headers": {"directory": "/usr/include", "version": "24.11.5"},
        "config": {"source": "local", "shared": False},
        "programs": {"srun": "/usr/bin/srun"},
        "plugstack": {"file": "/etc/slurm/plugstack.conf", "registrations": [], "loaded": None},
    },
}
# Inputs without which a template has little to show.
INPUTS = {
    "slurm_controller": "head",
    "slurm_cluster_hosts": ["head"],
    "enroot_environment": {"NCCL_DEBUG": "WARN", "TZ": "Europe/Berlin"},
    "enroot_mounts": ["/scratch /scratch none x-create=dir,bind,rw,nosuid 0 0"],
}


def load(path: Path) -> dict[str, Any]:
    # Role data may hold lookups and vaults; only plain keys are read here.
    return yaml.safe_load(path.read_text()) or {} if path.is_file() else {}


def templates(distribution: str, release: str) -> list[str]:
    """Return the templates of the roles that support a distribution."""
    found = []
    for role in sorted((REPOSITORY / "roles").iterdir()):
        supported = load(role / "vars/main.yml").get("__%s_distributions" % role.name, {distribution: [release]})
        if release in supported.get(distribution, []):
            found += [path for path in (role / "templates").rglob("*.j2") if path.is_file()]
    return sorted(str(path.relative_to(REPOSITORY)) for path in found)


def platforms() -> list[tuple[str, str]]:
    """Return every (distribution, release) that any role supports."""
    found = set()
    for path in sorted((REPOSITORY / "roles").glob("*/vars/main.yml")):
        supported = load(path).get("__%s_distributions" % path.parents[1].name, {})
        found |= {(distribution, release) for distribution, releases in supported.items() for release in releases}
    return sorted(found)


CASES = [(*platform, path) for platform in platforms() for path in templates(*platform)]


def variable_files(distribution: str, release: str) -> list[str]:
    """Return the defaults and variables of all roles, as Ansible would load them on a distribution."""
    family, major = FAMILIES.get(distribution, "RedHat"), release.split(".", maxsplit=1)[0]
    names = ["main", family, "%s_%s" % (family, major), distribution, "%s_%s" % (distribution, major)]
    roles = sorted((REPOSITORY / "roles").iterdir())
    paths = [role / "defaults/main.yml" for role in roles]
    paths += [role / ("vars/%s.yml" % name) for role in roles for name in dict.fromkeys(names)]
    return [str(path) for path in paths if path.is_file()]


def play(distribution: str, release: str, place: Path) -> dict[str, Any]:
    """Return a play that writes all templates of a distribution into one file."""
    facts = {
        **FACTS,
        "distribution": distribution,
        "distribution_version": release,
        "distribution_major_version": release.split(".", maxsplit=1)[0],
        "os_family": FAMILIES.get(distribution, "RedHat"),
    }
    texts = {
        path: "{{ lookup('ansible.builtin.template', '%s') }}" % (REPOSITORY / path)
        for path in templates(distribution, release)
    }
    name = "%s-%s" % (distribution, release)
    return {
        "name": name,
        "hosts": name,
        "connection": "local",
        "gather_facts": False,
        "vars_files": [*variable_files(distribution, release), str(place / "inputs.yml")],
        "tasks": [
            {"name": "Be such a node", "ansible.builtin.set_fact": {**facts, "cacheable": True}},
            {
                "name": "Render",
                "ansible.builtin.copy": {"content": "{{ texts | to_json }}", "dest": name + ".json", "mode": "0644"},
                "vars": {"texts": texts},
            },
        ],
    }


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], str]:
    """Render all templates on all distributions by one run of Ansible."""
    place = tmp_path_factory.mktemp("render")
    hosts = {"%s-%s" % platform: {"ansible_python_interpreter": sys.executable} for platform in platforms()}
    (place / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (place / "inputs.yml").write_text(yaml.safe_dump(INPUTS))
    (place / "render.yml").write_text(yaml.safe_dump([play(*platform, place) for platform in platforms()]))
    # What lies beside Slipway's playbooks reaches a play from there.
    (place / "group_vars").symlink_to(REPOSITORY / "playbooks/group_vars")
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "render.yml"],
        cwd=place,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks/collections"),
            "ANSIBLE_INJECT_FACT_VARS": "False",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DEPRECATION" not in done.stderr, done.stderr
    found = {}
    for distribution, release in platforms():
        texts = json.loads((place / ("%s-%s.json" % (distribution, release))).read_text())
        found.update({(distribution, release, path): text for path, text in texts.items()})
    return found


def golden_files(distribution: str, release: str, path: str) -> list[Path]:
    """Return where the text of a template may be: of one distribution, or of any."""
    role, inside = re.fullmatch(r"roles/(.+?)/templates/(.+)\.j2", path).groups()  # type: ignore[union-attr]
    return [GOLDEN / name / role / inside for name in ("%s-%s" % (distribution, release), "any")]


def update(text: str, own: Path, common: Path, first: bool) -> None:
    """Write a text where it belongs; what the first of all distributions gets is what any gets."""
    own.unlink(missing_ok=True)
    target = common if first or (common.is_file() and common.read_text() == text) else own
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.mark.parametrize(("distribution", "release", "path"), CASES)
def test_template(rendered: dict[tuple[str, str, str], str], distribution: str, release: str, path: str) -> None:
    text = rendered[distribution, release, path]
    places = golden_files(distribution, release, path)
    if os.environ.get("UPDATE"):
        first = next(case for case in CASES if case[2] == path)
        update(text, *places, first=(distribution, release, path) == first)
    golden = next((place for place in places if place.is_file()), None)
    assert golden, "there is no %s: run `UPDATE=1 make render`, and look at it" % places[0]
    assert text == golden.read_text()


@pytest.mark.parametrize(("distribution", "release", "path"), CASES)
def test_text_is_whole(rendered: dict[tuple[str, str, str], str], distribution: str, release: str, path: str) -> None:
    text = rendered[distribution, release, path]
    lines = text.splitlines()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert MARKER in "".join(lines[:3])
    assert not [line for line in lines if line != line.rstrip() or "{{" in line or "None" in line]


def test_the_header_changes_neither_with_time_nor_with_the_host() -> None:
    header = load(REPOSITORY / "playbooks/group_vars/all.yml")["ansible_managed"]
    assert header.startswith(MARKER)
    assert not re.search(r"[%{0-9]", header)


def test_no_golden_file_without_a_template() -> None:
    expected = {place for case in CASES for place in golden_files(*case)}
    assert {path for path in GOLDEN.rglob("*") if path.is_file()} <= expected


def test_every_template_is_rendered_somewhere() -> None:
    paths = {str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("roles/*/templates/**/*") if path.is_file()}
    assert paths == {path for _distribution, _release, path in CASES}
