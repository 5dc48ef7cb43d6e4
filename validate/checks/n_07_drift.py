"""N-07: the stack's configuration is the same on all nodes of a kind."""

from __future__ import annotations

import hashlib
from typing import Any

from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="N-07",
    title="no drift of configuration",
    tier="quick",
    step="host",
    cause="edited by hand on this node, or a run did not reach it",
    fix="diff the file with that of another node; playbooks/site.yml writes it anew",
    after=("N-05", "N-06", "N-12", "N-28", "A-06", "N-30", "D-01", "I-01"),
)


PATTERNS = (
    "/etc/enroot/enroot.conf", "/etc/enroot/enroot.conf.d/*", "/etc/enroot/environ.d/*", "/etc/enroot/mounts.d/*",
    "/etc/enroot/hooks.d/*", "/etc/nvidia-container-runtime/config.toml", "/etc/docker/daemon.json",
    "/etc/apptainer/apptainer.conf", "/etc/slurm/cgroup.conf", "/etc/slurm/plugstack.conf",
    "/etc/slurm/plugstack.conf.d/*", "/run/slurm/conf/cgroup.conf", "/run/slurm/conf/plugstack.conf",
    "/run/slurm/conf/plugstack.conf.d/*", "/usr/local/lib/slipway/pyxis/spank_pyxis.so",
    "/etc/slurm/slurm.conf", "/etc/slurm/gres.conf", "/run/slurm/conf/slurm.conf", "/run/slurm/conf/gres.conf",
)  # fmt: skip


def observe(node: Node) -> Any:
    """Hash what can be read; a mode belongs to it, because a hook without its x bit does nothing."""
    found = {}
    for pattern in PATTERNS:
        for path in sorted(node.path("/").glob(pattern.lstrip("/"))):
            name = "/" + str(path.relative_to(node.root))
            try:
                data = path.read_bytes()
            except OSError as error:
                found[name] = str(error.strerror)
            else:
                mode = path.stat().st_mode & 0o7777
                found[name] = f"{hashlib.sha256(data).hexdigest()[:16]} {mode:04o}"
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Every file is as on most nodes."""
    usual, count = majority(context.fleet)
    if count < 2:
        return passed(f"{len(observed)} files; too few nodes alike to compare")
    other = sorted(name for name in {*observed, *usual} if observed.get(name) != usual.get(name))
    if not other:
        return passed(f"{len(observed)} files as on {count} nodes")
    said = "; ".join(f"{name} {observed.get(name, 'missing')}" for name in other[:6])
    wanted = "; ".join(f"{name} {usual.get(name, 'missing')}" for name in other[:6])
    return failed(said, f"{wanted}, as on {count} nodes")
