"""N-33: slurmd's unit hides nothing from jobs."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-33",
    title="slurmd's unit leaves jobs devices, namespaces and directories",
    tier="quick",
    step="host",
    cause="a setting of slurmd's unit takes something away from every job",
    fix="systemctl cat slurmd; remove it, systemctl daemon-reload, systemctl restart slurmd",
)


# Setting -> the values that do no harm, and what jobs lose by others.
SETTINGS = {
    "NoNewPrivileges": (("no",), "no program of a job gets the capabilities of its file, nor does setuid work"),
    "PrivateDevices": (("no",), "jobs have no GPUs and no /dev/fuse"),
    "PrivateTmp": (("no",), "jobs see another /tmp and /var/tmp than the node"),
    "PrivateUsers": (("no",), "containers cannot be started"),
    "PrivateNetwork": (("no",), "jobs have no network"),
    "PrivateMounts": (("no",), "what is mounted later on the node is not seen by jobs"),
    "ProtectHome": (("no",), "jobs do not see, or cannot write, home directories"),
    "ProtectSystem": (("no",), "jobs cannot write /usr, /etc or more"),
    "ProtectKernelTunables": (("no",), "containers cannot mount /proc"),
    "ProtectControlGroups": (("no",), "slurmd cannot make the cgroups of jobs"),
    "ProtectProc": (("default",), "jobs do not see each other's processes, and containers cannot mount /proc"),
    "RestrictNamespaces": (("no",), "containers cannot be started"),
    "RestrictSUIDSGID": (("no",), "jobs cannot make setuid files, nor unpack them"),
    "MemoryDenyWriteExecute": (("no",), "programs that compile while they run end"),
}


def observe(node: Node) -> Any:
    """Ask systemd for them."""
    wanted = ["LoadState", "DropInPaths", "FragmentPath", *SETTINGS]
    output = node.run(["systemctl", "show", "slurmd.service", f"--property={','.join(wanted)}"], 5)
    return dict(re.findall(r"^(\w+)=(.*)$", output.stdout, re.MULTILINE))


def judge(observed: Any, context: Context) -> Finding:
    """None of them is set."""
    if "LoadState" not in observed:
        return errored("systemd does not say what slurmd's unit is")
    if observed["LoadState"] != "loaded":
        return passed("slurmd is no unit of systemd here")
    bad = {
        name: observed[name] for name, (good, _lost) in SETTINGS.items() if observed.get(name) not in (None, "", *good)
    }
    if not bad:
        return passed("nothing is taken away")
    name = next(iter(bad))
    files = observed.get("DropInPaths") or observed.get("FragmentPath") or ""
    return failed(
        ", ".join(f"{key}={value}" for key, value in bad.items()),
        ", ".join(f"{key}={SETTINGS[key][0][0]}" for key in bad),
        f"{name}={bad[name]} in slurmd's unit: {SETTINGS[name][1]}",
        f"grep -l -e {' -e '.join(bad)} {files}; remove it; systemctl daemon-reload; systemctl restart slurmd",
    )
