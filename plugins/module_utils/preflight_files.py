"""Whether a host can have the files that it is to get (``__<role>_files_needed``, see architecture.md)."""

from __future__ import annotations

from typing import Callable, Sequence

from ansible_collections.slipway.containers.plugins.module_utils import artifacts
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, show

ALLOWED = (
    "a mirror with such a file; or install a package on the node: a newer one is kept; or %s_state: unmanaged "
    "for this host"
)


def judge(
    role: Role, filenames: Sequence[str], mirror: str, architecture: str, exists: Callable[[str], bool]
) -> list[Finding]:
    """Find files that upstream does not have for an architecture, or that a mirror lacks which is a directory.

    ``exists`` tells whether a path is on the control node; a mirror that is an address cannot be asked here.
    """
    if not mirror:
        released = role.own("released", [])
        lacking = list(filenames) if released and architecture not in released else []
        problem = "is empty, and upstream has no file for this architecture: %s" % ", ".join(lacking)
    else:
        paths = ["%s/%s" % (mirror.rstrip("/"), name) for name in filenames]
        lacking = [] if artifacts.is_url(mirror) else [path for path in paths if not exists(path)]
        problem = "lacks %s, which this host is to get" % ", ".join(lacking)
    if not lacking:
        return []
    return [Finding(role.name, "artifact_mirror", show(mirror), problem, ALLOWED % role.name)]
