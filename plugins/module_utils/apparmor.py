"""What AppArmor does on a node."""

from __future__ import annotations

from typing import Any

# Ubuntu 23.10 and newer: 1 denies user namespaces to every program without a profile that allows them.
RESTRICTION = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
# One line a profile, "enroot (unconfined)"; the directory is there only where AppArmor is on.
PROFILES = "/sys/kernel/security/apparmor/profiles"


def loaded_profiles(text: str) -> list[str]:
    """Return the names of the loaded profiles from what the kernel says."""
    return sorted(line.rpartition(" (")[0] for line in text.splitlines() if line.endswith(")"))


def gather() -> dict[str, Any]:
    """Return the fact C(apparmor) of this node."""
    return {
        "restricts_user_namespaces": _read(RESTRICTION).strip() == "1",
        "profiles": loaded_profiles(_read(PROFILES)),
    }


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        return ""
