"""What a node is, by Ansible's own detection."""

from __future__ import annotations

import os

from ansible_collections.slipway.containers.plugins.module_utils import distribution


class Module:
    def run_command(self, *_: object, **__: object) -> tuple[int, str, str]:
        return 1, "", ""

    def get_bin_path(self, *_: object, **__: object) -> None:
        return None


def test_this_machine() -> None:
    found = distribution.system_facts(Module())
    assert sorted(found) == sorted([*distribution.SYSTEM_FACTS, "architecture"])
    assert all(isinstance(value, str) for value in found.values())
    assert found["architecture"] == os.uname().machine
