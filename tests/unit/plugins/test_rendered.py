"""The lookup rendered; what it makes of every template, tests/render compares."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.slipway.containers.plugins.lookup.rendered import text_of


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match=r"the template .*/gone\.j2 cannot be read: No such file"):
        text_of(str(tmp_path / "gone.j2"))


def test_a_templates_text_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("# {{ one }} \\d\n\n")
    assert text_of(str(tmp_path / "x.j2")) == "# {{ one }} \\d\n\n"
