"""The newest of several versions."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.containers.plugins.filter.newest import FilterModule

newest = FilterModule().filters()["newest"]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["1.20.0-1"], "1.20.0-1"),
        (["1.9.0-1", "1.20.0-1", "1.19.9-1"], "1.20.0-1"),
        # A pin without a revision means the one that is installed.
        (["1.20.0-3", "1.20.0"], "1.20.0-3"),
        (["1.20.0-1", "1.21.0~rc.1-1"], "1.21.0~rc.1-1"),
        ([1.5], "1.5"),
    ],
)
def test_the_newest(versions: list[str], expected: str) -> None:
    assert newest(versions) == expected


@pytest.mark.parametrize("nothing", [[], "1.20.0"])
def test_without_a_list_of_versions(nothing: object) -> None:
    with pytest.raises(AnsibleFilterError, match="at least one version"):
        newest(nothing)
