"""What a node runs, by Ansible's own detection; the same code as ``ansible.builtin.setup``."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.facts.system.distribution import Distribution

SYSTEM_FACTS = (
    "distribution",
    "distribution_release",
    "distribution_version",
    "distribution_major_version",
    "os_family",
)


def system_facts(module: Any) -> dict[str, str]:
    """Return SYSTEM_FACTS and the machine's architecture, '' for what is not known."""
    found = Distribution(module).get_distribution_facts()
    return {**{name: found.get(name, "") for name in SYSTEM_FACTS}, "architecture": os.uname().machine}
