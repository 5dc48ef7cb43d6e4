"""The keys by which roles ask for packages are those that the page of interfaces names."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/develop/interfaces.md"


def test_every_key_of_an_installation_is_on_the_page() -> None:
    text = PAGE.read_text().partition("`__<role>_install`")[2].partition("\n`__<role>_artifacts_needed`")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    used: set[str] = set()
    for path in (REPOSITORY / "roles").glob("*/vars/main.yml"):
        data = yaml.safe_load(path.read_text())
        used |= set(data.get(f"__{path.parents[1].name}_installation", {}))
    assert told == used
