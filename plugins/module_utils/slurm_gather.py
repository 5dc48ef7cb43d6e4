"""The facts of one host's Slurm, put together. Reads, changes nothing, never raises for a dead controller."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import (
    command,
    plugstack,
    plugstack_tree,
    slurm_config,
    slurm_controller,
    slurm_host,
    slurm_text,
)
from ansible_collections.slipway.containers.plugins.module_utils.slurm_host import Evidence, Host

VERSION_TIMEOUT = 3.0
CACHES = (
    "/run/slurm/conf", "/var/spool/slurmd/conf-cache", "/var/spool/slurm/d/conf-cache",
    "/var/spool/slurm/slurmd/conf-cache", "/var/lib/slurm/slurmd/conf-cache", "/run/slurmd/conf",
)  # fmt: skip
# Where the default is not in the library: relative to the prefix, then absolute.
DEFAULTS = ("etc/slurm.conf", "etc/slurm/slurm.conf", "/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf")
NETWORK_FILESYSTEMS = (
    "nfs", "nfs4", "lustre", "beegfs", "gpfs", "ceph", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs",
    "glusterfs",
    "fuse.glusterfs", "afs", "orangefs", "fuse.juicefs", "wekafs", "panfs", "efs",
)  # fmt: skip
ABSENT: dict[str, Any] = {
    "installed": False, "prefix": None, "version": None, "series": None,
    "programs": {"srun": None, "scontrol": None, "slurmd": None}, "plugin_directory": None,
    "headers": {"directory": None, "version": None},
    "config": {"source": "none", "file": None, "directory": None, "shared": False},
    "configless_server": False, "node": None, "reconfigure": None,
    "plugstack": {"file": None, "registrations": [], "problems": [], "loaded": None}, "running_jobs": 0,
}  # fmt: skip


def gather(host: Host, roster: bool) -> dict[str, Any]:
    """Return ``ansible_facts.slurm`` (docs/develop/interfaces.md)."""
    running = slurm_host.processes(host)
    units = slurm_host.units(host)
    daemons = slurm_host.daemon_states(host, units, running)
    prefix = slurm_host.find_prefix(host, running)
    if prefix is None:
        return {**ABSENT, "daemons": daemons, **({"roster": None} if roster else {})}
    programs = slurm_host.find_programs(host, prefix)
    library = slurm_host.find_library(host, prefix)
    known = slurm_host.evidence(host, units, running)
    config, ignored = find_config(host, prefix, library, known)
    lines = read_lines(host, config["file"])
    values = slurm_config.settings(lines)
    version = find_version(host, programs, config["file"])
    plugin_directory = values.get("plugindir", library or "").split(":")[0] or None
    facts = {
        "installed": True,
        "prefix": prefix,
        "version": version,
        "series": slurm_text.series_of(version) if version else None,
        "programs": programs,
        "plugin_directory": plugin_directory,
        "headers": find_headers(host, prefix),
        "config": config,
        "configless_server": slurm_config.enables_configless(values),
        "daemons": daemons,
        "node": slurm_controller.node_name(known) if daemons["slurmd"] != "absent" else None,
        "reconfigure": slurm_text.reconfigure_means(version) if version else None,
        "plugstack": plugstack_facts(host, config, values, plugin_directory, ignored),
    }
    facts.update(slurm_controller.controller_facts(host, facts, known, roster))
    return facts


def find_config(
    host: Host, prefix: str, library: str | None, known: Sequence[Evidence]
) -> tuple[dict[str, Any], str | None]:
    """Return (the ``config`` facts, a local slurm.conf that daemons pass over but commands read)."""
    local = default_file(host, prefix, library)
    cached = next((path + "/slurm.conf" for path in CACHES if host.exists(path + "/slurm.conf")), None)
    # Beside a running slurmctld the file that it reads is what counts, whatever a slurmd there would fetch.
    controls = any(item.name == "slurmctld" and item.running for item in known)
    for item in known:
        server = item.options.get("conf_server") or item.environment.get("SLURM_CONF_SERVER")
        if server and item.name != "slurmctld" and not controls:
            return _config(host, "configless", cached), local
        named = item.options.get("file") or item.environment.get("SLURM_CONF")
        # slurmd of a configless cluster may have the fetched copy in its environment.
        if named and any(named.startswith(cache + "/") for cache in CACHES):
            return _config(host, "configless", named), local
        if named and host.exists(named):
            return _config(host, "local", named), None
    named = os.environ.get("SLURM_CONF") if host.root == "/" else None
    if named and host.exists(named):
        return _config(host, "local", named), None
    if local:
        return _config(host, "local", local), None
    return _config(host, "configless" if cached else "none", cached), None


def _config(host: Host, source: str, path: str | None) -> dict[str, Any]:
    directory = os.path.dirname(path) if path else None
    return {
        "source": source,
        "file": path,
        "directory": directory,
        "shared": bool(directory) and is_shared(host, directory or ""),
    }


def default_file(host: Host, prefix: str, library: str | None) -> str | None:
    """Return the slurm.conf that commands read when nothing names one: the path built into the library."""
    built_in = _built_in_paths(host, library)
    places = [*built_in, *(path if path.startswith("/") else f"{prefix}/{path}" for path in DEFAULTS)]
    return next((path for path in places if host.exists(path)), None)


def _built_in_paths(host: Host, library: str | None) -> list[str]:
    try:
        with open(host.at(f"{library}/libslurmfull.so"), "rb") as stream:
            data = stream.read()
    except OSError:
        return []
    found = [path.decode() for path in re.findall(rb"\0(/[!-$&-~]+/slurm\.conf)(?=\0)", data)]
    return [path for path in found if os.path.dirname(path) not in CACHES]


def is_shared(host: Host, directory: str) -> bool:
    """Return whether other hosts see the same directory: over the network, or exported from here."""
    real = host.real(directory)
    best, kind = "", ""
    for line in (host.read("/proc/self/mountinfo") or "").splitlines():
        left, _separator, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ") if left.count(" ") >= 4 else ""
        if point and (real + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    exports = [
        line.split()[0]
        for line in (host.read("/var/lib/nfs/etab") or "").splitlines()
        if line.startswith("/")
    ]
    return kind in NETWORK_FILESYSTEMS or any(
        (real + "/").startswith(export.rstrip("/") + "/") for export in exports
    )


def read_lines(host: Host, path: str | None) -> list[str]:
    """Return a slurm.conf's logical lines with its includes, empty where it cannot be read."""
    text = host.read(path) if path else None
    return slurm_config.flatten(text, os.path.dirname(path or ""), host.read) if text else []


def find_version(host: Host, programs: Mapping[str, str | None], config: str | None) -> str | None:
    """Return the version that slurmd or, on a node without it, srun reports."""
    if programs["slurmd"]:
        version = slurm_text.parse_version(
            host.run([programs["slurmd"], "-V"], timeout=VERSION_TIMEOUT).stdout
        )
        if version:
            return version
    name = programs["srun"] or programs["scontrol"]
    if not name:
        return None
    # The commands read a configuration even for --version: one of nothing serves where there is none.
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as minimal:
        minimal.write("ClusterName=none\nSlurmctldHost=localhost\n")
        minimal.flush()
        for path in filter(None, (config, minimal.name)):
            environment = command.plain_environment({"SLURM_CONF": path})
            version = slurm_text.parse_version(
                host.run([name, "--version"], VERSION_TIMEOUT, environment).stdout
            )
            if version:
                return version
    return None


def find_headers(host: Host, prefix: str) -> dict[str, str | None]:
    """Return the include directory that holds slurm/spank.h, and the version that its headers state."""
    for directory in dict.fromkeys((prefix + "/include", "/usr/include", "/usr/local/include")):
        if host.exists(directory + "/slurm/spank.h"):
            texts = (host.read(f"{directory}/slurm/{name}") or "" for name in ("slurm_version.h", "slurm.h"))
            version = next(filter(None, map(slurm_text.parse_header_version, texts)), None)
            return {"directory": directory, "version": version}
    return {"directory": None, "version": None}


def trusted_owners(values: Mapping[str, str]) -> set[int]:
    """Return whose files slurmd may load as root: root's, and SlurmUser's, which says in slurm.conf what root starts.

    sackd writes what it has fetched as SlurmUser.
    """
    found = {0, os.geteuid()}
    with suppress(KeyError):
        found.add(pwd.getpwnam(values.get("slurmuser", "root")).pw_uid)
    return found


def plugstack_facts(
    host: Host,
    config: Mapping[str, Any],
    values: Mapping[str, str],
    plugin_directory: str | None,
    ignored: str | None,
) -> dict[str, Any]:
    """Return the ``plugstack`` facts: the file, pyxis's registrations, and what is wrong."""
    loaded = slurm_host.loaded_plugins(host, plugstack.PYXIS)
    if not config["file"]:
        return {"file": None, "registrations": [], "problems": [], "loaded": loaded}
    path = os.path.join(config["directory"], values.get("plugstackconfig", "plugstack.conf"))
    tree = plugstack_tree.read_tree(host.at(path))
    configless = config["source"] == "configless" or slurm_config.enables_configless(dict(values))
    problems = plugstack_tree.find_problems(tree, plugin_directory, configless, trusted_owners(values))
    if ignored:
        problems.append(
            {"file": ignored, "problem": "commands read this file, not the configuration that slurmd fetched"}
        )
    return {
        "file": path,
        "registrations": plugstack_tree.describe(tree, [plugstack.PYXIS]),
        "loaded": loaded,
        "problems": problems,
    }
