"""Every template, as Ansible renders it on each distribution, against golden files.

`golden/any/` holds what every distribution gets, `golden/<distribution>-<release>/` where one gets something else.
`UPDATE=1 make render` writes the golden files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.files import MARKER

from tests.render.platforms import REPOSITORY, Platform, evaluate, family, golden, load, platforms

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
# What only one package manager reads has its data in the vars of that family alone.
ONLY_IN = {"Debian": "/templates/etc/yum.repos.d/", "RedHat": "/templates/etc/apt/"}


def templates(distribution: str, release: str) -> list[str]:
    """Return the templates of the roles that support a distribution."""
    found = []
    for role in sorted((REPOSITORY / "roles").iterdir()):
        supported = load(role / "vars/main.yml").get("__%s_distributions" % role.name, {distribution: [release]})
        if release in supported.get(distribution, []):
            found += [path for path in (role / "templates").rglob("*.j2") if path.is_file()]
    others = ONLY_IN[family(distribution)]
    return sorted(str(path.relative_to(REPOSITORY)) for path in found if others not in str(path))


CASES = [(*platform, path) for platform in platforms() for path in templates(*platform)]


def expressions(platform: Platform) -> dict[str, str]:
    return {
        path: "{{ lookup('slipway.containers.rendered', '%s') }}" % (REPOSITORY / path) for path in templates(*platform)
    }


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], str]:
    found = evaluate(expressions, ("x86_64",), tmp_path_factory.mktemp("render"))
    return {(*case[:2], path): text for case, texts in found.items() for path, text in texts.items()}


def golden_files(distribution: str, release: str, path: str) -> list[Path]:
    """Return where the text of a template may be: of one distribution, or of any."""
    role, inside = re.fullmatch(r"roles/(.+?)/templates/(.+)\.j2", path).groups()  # type: ignore[union-attr]
    return [GOLDEN / name / role / inside for name in ("%s-%s" % (distribution, release), "any")]


@pytest.mark.parametrize(("distribution", "release", "path"), CASES)
def test_template(rendered: dict[tuple[str, str, str], str], distribution: str, release: str, path: str) -> None:
    text = rendered[distribution, release, path]
    first = next(case for case in CASES if case[2] == path) == (distribution, release, path)
    assert text == golden(text, *golden_files(distribution, release, path), first).read_text()


@pytest.mark.parametrize(("distribution", "release", "path"), CASES)
def test_text_is_whole(rendered: dict[tuple[str, str, str], str], distribution: str, release: str, path: str) -> None:
    text = rendered[distribution, release, path]
    lines = text.splitlines()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert MARKER in "".join(lines[:3])
    assert not [line for line in lines if line != line.rstrip() or "{{" in line or "None" in line]


def test_the_header_changes_neither_with_time_nor_with_the_host() -> None:
    header = load(REPOSITORY / "playbooks/group_vars/all.yml")["slipway_managed"]
    assert header.startswith(MARKER)
    assert not re.search(r"[%{0-9]", header)


def test_no_golden_file_without_a_template() -> None:
    expected = {place for case in CASES for place in golden_files(*case)}
    assert {path for path in GOLDEN.rglob("*") if path.is_file()} <= expected


def test_every_template_is_rendered_somewhere() -> None:
    paths = {str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("roles/*/templates/**/*") if path.is_file()}
    assert paths == {path for _distribution, _release, path in CASES}
