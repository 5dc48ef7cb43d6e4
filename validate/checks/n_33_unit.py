"""N-33: slurmd's unit hides nothing from jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, compare, failed, passed
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
    "RootDirectory": (("/",), "jobs see another root directory than the node"),
    "RootImage": (("",), "jobs see another root directory than the node"),
}
# These harm by what they name: setting -> the directories that jobs need, and what they lose.
BASE = ("/", "/dev", "/dev/shm", "/tmp", "/var/tmp", "/home")
SEEN = (*BASE, "/usr", "/etc", "/proc", "/sys", "/run", "/run/munge")
HIDING = {
    "InaccessiblePaths": (SEEN, "jobs do not see what lies there"),
    "TemporaryFileSystem": (SEEN, "jobs see an empty directory there"),
    "ReadOnlyPaths": (BASE, "jobs cannot write there"),
    "NoExecPaths": (("/", "/usr", "/home"), "jobs cannot execute what lies there"),
}
DEVICES = re.compile(r"/dev/(nvidia|infiniband|fuse|kfd|dri|neuron|null|zero|random|urandom|pts|ptmx)")
CALLS = {
    "SystemCallFilter": (("mount", "umount2", "unshare", "setns", "pivot_root"), "containers cannot be started"),
    "RestrictAddressFamilies": (("AF_UNIX", "AF_INET", "AF_NETLINK"), "jobs do not reach the network, or munge"),
}
BOUNDING = "CapabilityBoundingSet"
NEEDED = ("cap_sys_admin", "cap_mknod", "cap_setuid", "cap_setgid")
# A site may want these on all of its nodes: they are told by being set on one alone.
COMPARED = (
    *HIDING, *CALLS, "BindPaths", "BindReadOnlyPaths", "ProtectKernelModules", "ProtectHostname", "IPAddressDeny",
)  # fmt: skip
# What systemctl says of a form that it does not know.
UNKNOWN = "[unprintable]"


def observe(node: Node) -> Any:
    """Ask systemd for them."""
    wanted = ["LoadState", "DropInPaths", "FragmentPath", *SETTINGS, *COMPARED, BOUNDING]
    output = node.run(["systemctl", "show", "slurmd.service", f"--property={','.join(wanted)}"], 5)
    found = dict(re.findall(r"^(\w+)=(.*)$", output.stdout, re.MULTILINE))
    return found or {"said": output.stderr[:300] or f"systemctl ended with {output.code}"}


def judge(observed: Any, context: Context) -> Finding:
    """None of them is set, or what is set takes nothing away, and is so on the other nodes."""
    if "LoadState" not in observed:
        said = str(observed.get("said") or "nothing")
        return reading.unasked(said, f"systemd does not say what slurmd's unit is: {said}")
    if observed["LoadState"] != "loaded":
        return passed("slurmd is no unit of systemd here")
    bad = {name: lost for name, (good, lost) in SETTINGS.items() if observed.get(name) not in (None, "", *good)}
    bad |= harm(observed, context.others.get("N-10"))
    beside = compare(context.fleet, extras(observed), extras, "")
    wanted = dict.fromkeys(bad, "")
    for name, seen in beside.other.items():
        # What is set on the other nodes and not on this one keeps nothing from its jobs.
        if name not in bad and beside.own[name] not in ("", "no"):
            bad[name], wanted[name] = "it is not set so on the other nodes", seen.usual
    if not bad:
        return passed("nothing is taken away")
    name = next(iter(bad))
    files = " ".join(filter(None, (observed.get("FragmentPath"), observed.get("DropInPaths"))))
    return failed(
        ", ".join(f"{key}={shortened(observed[key])}" for key in bad),
        ", ".join(f"{key}={shortened(wanted[key]) or (SETTINGS.get(key) or (('',),))[0][0]}" for key in bad),
        f"{name}={shortened(observed[name])} in slurmd's unit: {bad[name]}",
        f"grep -l -e {' -e '.join(bad)} {files}; remove it; systemctl daemon-reload; systemctl restart slurmd",
    )


def harm(observed: Mapping[str, str], storage: Any) -> dict[str, str]:
    """Return name -> what jobs lose, of the settings that harm by what they name."""
    found = {}
    # What another check observed may be anything.
    observed_places = storage.items() if isinstance(storage, dict) else ()
    places = {key: place for key, place in observed_places if isinstance(place, dict) and "mount" in place}
    for name, (needed, lost) in HIDING.items():
        # Nothing of a site's temporary files need be executed.
        kept = [str(place.get("real") or place.get("path")) for key, place in places.items()
                if name != "NoExecPaths" or key == "ENROOT_DATA_PATH"]  # fmt: skip
        if any(covers(path, needed, kept) for path in paths(observed.get(name, ""))):
            found[name] = lost
    for name, (wanted, lost) in CALLS.items():
        text = observed.get(name, "")
        words = {word.partition(":")[0] for word in text.lstrip("~").split()}
        # A list that begins with ~ is of what is denied, another one of what is allowed.
        known = text not in ("", UNKNOWN) and not any(word.startswith("@") for word in words)
        if known and any((word in words) == text.startswith("~") for word in wanted):
            found[name] = lost
    given = observed.get(BOUNDING, "").split()
    away = [name for name in NEEDED if name not in given]
    if any(word.startswith("cap_") for word in given) and away:
        found[BOUNDING] = f"no program of a job gets {', '.join(away)}: images are not imported, setuid does not work"
    return found


def paths(text: str) -> list[str]:
    """Return the directories that a setting names, without options."""
    return [word.strip('"').lstrip("-+").partition(":")[0].rstrip("/") or "/" for word in text.split()]


def covers(path: str, needed: tuple[str, ...], kept: list[str]) -> bool:
    """Return whether a directory is one that jobs need, or holds where runtimes keep what is theirs."""
    return path in needed or bool(DEVICES.match(path)) or any(f"{name}/".startswith(f"{path}/") for name in kept)


def extras(seen: Any) -> dict[str, str]:
    """Return what is compared, of long lists only that there is one; ~ alone denies nothing."""
    found = {name: str(seen[name]) for name in COMPARED if name in seen}
    found = {name: "" if text in ("~", UNKNOWN) else text for name, text in found.items()}
    return {name: "a list" if name in CALLS and text else text for name, text in found.items()}


def shortened(value: str) -> str:
    """Return a value for a reader: a filter may name hundreds of calls."""
    return value if len(value) < 80 else f"{value[:76]} …"
