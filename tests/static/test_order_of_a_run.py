"""The order of a run, as the pages tell it, is that of playbooks/site.yml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PAGES = ("docs/operate/site.md", "docs/develop/architecture.md")
TABLE = re.compile(r"^\| Step \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", re.MULTILINE)


def steps() -> list[str]:
    """Return what site.yml runs, each as its role and, where that is not main, its entry point."""
    found = []
    for play in yaml.safe_load((REPOSITORY / "playbooks/site.yml").read_text()):
        if "ansible.builtin.import_playbook" in play:
            found.append(play["ansible.builtin.import_playbook"].removesuffix(".yml"))
        for task in play.get("tasks", []):
            role = task.get("ansible.builtin.import_role")
            if role:
                words = [role["name"].rpartition(".")[2], role.get("tasks_from")]
                found.append(": ".join(filter(None, words)))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_tells_the_steps_in_their_order(page: str) -> None:
    (table,) = TABLE.findall((REPOSITORY / page).read_text())
    assert [row.split("|")[1].strip() for row in table.splitlines()] == steps()
