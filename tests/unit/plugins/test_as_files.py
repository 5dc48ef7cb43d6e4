"""Names to entries of managed_files."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.containers.plugins.filter.as_files import as_files


def test_names_are_put_in() -> None:
    assert as_files(["a", "b"], path="/x/{}", target="{}/{}", recursive=True, capabilities=["{}"], mode=None) == [
        {
            "path": "/x/%s" % name,
            "target": "%s/%s" % (name, name),
            "recursive": True,
            "capabilities": ["{}"],
            "mode": None,
        }
        for name in ("a", "b")
    ]


@pytest.mark.parametrize("names", [[], (), {}.keys()])
def test_no_names_no_files(names: list[str]) -> None:
    assert as_files(names, path="{}") == []


def test_odd_names() -> None:
    assert as_files(["{}", "%s", r"\1", "", 7], path="/{}") == [
        {"path": "/{}"},
        {"path": "/%s"},
        {"path": r"/\1"},
        {"path": "/"},
        {"path": "/7"},
    ]


def test_a_text_is_not_a_list_of_its_letters() -> None:
    with pytest.raises(AnsibleFilterError, match="not the text 'abc'"):
        as_files("abc", path="/{}")
