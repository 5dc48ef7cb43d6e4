"""What a site may set for its hooks: ``lifecycle.yml`` of the site, environment, arguments; the last one wins."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NoReturn

from .identity import PLATFORMS, ROLES
from .outcome import BadConfiguration

# The hooks, and the platform that a hook's name already tells.
HOOKS = {
    "on-create": "hyperpod",
    "on-init-complete": "hyperpod",
    "on-node-start": "parallelcluster",
    "on-node-configured": "parallelcluster",
    "on-node-updated": "parallelcluster",
    "user-data": "",
    "image": "",
}
VARIABLE_PREFIX = "SLIPWAY_"
# ParallelCluster's own PATH lacks Slurm's programs.
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/slurm/bin:/opt/slurm/sbin"
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True)
class Settings:
    """The settings of one run; seconds are float."""

    hook: str = "user-data"
    platform: str = ""
    role: str = ""
    # Name or address of the node with slurmctld, where the platform does not say it.
    controller: str = ""
    strict: bool = False
    check: bool = False
    # The whole hook. ParallelCluster kills the bootstrap after 1800 s, which the hook shares with its recipes.
    budget_seconds: float = 900.0
    # How far the first requests of many nodes are spread.
    spread_seconds: float = 10.0
    # How long a file that the platform writes may come late.
    file_wait_seconds: float = 60.0
    dns_wait_seconds: float = 90.0
    disk_wait_seconds: float = 120.0
    controller_wait_seconds: float = 120.0
    # HyperPod's agent ships the log every 3 s, and a node that failed is gone soon after.
    flush_seconds: float = 60.0
    minimum_free_mib: int = 1024
    # None: every component that applies here. A named one must apply, and one that is not named may fail: the node
    # then joins without it, degraded.
    required: tuple[str, ...] | None = None
    seal: bool = False
    # Whether who logs in to a degraded node is told.
    login_notice: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadConfiguration("%s; see --help" % message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; what is wrong raises BadConfiguration instead of exiting."""
    made = _Parser(prog="start.sh", allow_abbrev=False, description="Run Slipway on this node, as a hook.")
    made.add_argument("hook", choices=sorted(HOOKS), help="which hook of the platform this is")
    made.add_argument("--platform", choices=PLATFORMS, help="instead of finding it out")
    made.add_argument("--role", choices=ROLES, help="instead of finding it out")
    made.add_argument("--controller", help="name or address of the node with slurmctld")
    made.add_argument("--strict", action="store_true", default=None, help="fail where the role is only a guess")
    made.add_argument("--check", action="store_true", default=None, help="change nothing, say what would change")
    made.add_argument("--seal", action="store_true", default=None, help="image: delete host keys and machine id last")
    made.add_argument("--budget-seconds", type=float, help="time for the whole hook")
    made.add_argument("--spread-seconds", type=float, help="spread the first requests of many nodes over this time")
    made.add_argument("--required", help="components without which the hook fails, separated by commas")
    return made


def from_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the settings that the command line makes; an empty argument is no argument."""
    parsed = vars(parser().parse_args([item for item in arguments if item.strip()]))
    if parsed["required"] is not None:
        parsed["required"] = [item.strip() for item in parsed["required"].split(",") if item.strip()]
    return {name: value for name, value in parsed.items() if value is not None}


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings among the environment's variables (SLIPWAY_ROLE and so on)."""
    found: dict[str, Any] = {}
    for item in fields(Settings):
        variable = VARIABLE_PREFIX + item.name.upper()
        text = environment.get(variable)
        if text is None or item.name in ("hook", "extra"):
            continue
        if item.name == "required":
            found[item.name] = [part.strip() for part in text.split(",") if part.strip()]
        elif isinstance(item.default, bool):
            if text.lower() not in TRUE + FALSE:
                raise BadConfiguration("%s is %r; expected true or false" % (variable, text))
            found[item.name] = text.lower() in TRUE
        elif isinstance(item.default, (int, float)):
            try:
                found[item.name] = float(text)
            except ValueError:
                raise BadConfiguration("%s is %r; expected a number" % (variable, text)) from None
        else:
            found[item.name] = text
    return found


def merge(sources: Sequence[tuple[str, Mapping[str, Any]]]) -> Settings:
    """Return the settings of several sources, later ones winning; raises BadConfiguration with every fault."""
    known = {item.name: item for item in fields(Settings)}
    values: dict[str, Any] = {}
    problems = []
    for source, settings in sources:
        for name, value in settings.items():
            if name not in known:
                problems.append("%s: unknown setting %r (known: %s)" % (source, name, ", ".join(sorted(known))))
                continue
            fault = _fault_of(name, value, known[name].default)
            if fault:
                problems.append("%s: %s %s" % (source, name, fault))
            else:
                values[name] = value
    if problems:
        raise BadConfiguration("; ".join(problems))
    if "required" in values:
        values["required"] = tuple(values["required"])
    return replace(Settings(), **values)


def _fault_of(name: str, value: Any, default: Any) -> str:
    if name == "required":
        good = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        return "" if good else "must be a list of component names, found %r" % (value,)
    if name == "extra":
        return "" if isinstance(value, Mapping) else "must be a mapping of variables, found %r" % (value,)
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "must be true or false, found %r" % (value,)
    if isinstance(default, (int, float)):
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")
        return "" if good else "must be a number of at least 0, found %r" % (value,)
    if not isinstance(value, str):
        return "must be text, found %r" % (value,)
    allowed = {"platform": PLATFORMS, "role": ROLES, "hook": tuple(HOOKS)}.get(name, ())
    return "" if not value or not allowed or value in allowed else "is %r; use one of %s" % (value, ", ".join(allowed))


def plain_environment(environment: Mapping[str, str], home: str, configuration: str) -> dict[str, str]:
    """Return the environment in which everything below runs: the same whatever the platform hands over.

    Proxies stay. Ansible's own variables go, because the bundle's settings are meant; so does what makes Python read
    other people's packages.
    """
    kept = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")
    plain = {name: value for name, value in environment.items() if name.lower() in kept}
    if any(name.lower().endswith("s_proxy") or name.lower() == "http_proxy" for name in plain):
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [item for item in environment.get(name, environment.get("no_proxy", "")).split(",") if item]
            plain[name] = ",".join(dict.fromkeys([*hosts, "169.254.169.254", "localhost", "127.0.0.1"]))
    for name in (*(VARIABLE_PREFIX + item.name.upper() for item in fields(Settings)), "SAGEMAKER_RESOURCE_CONFIG_PATH"):
        if name in environment:
            plain[name] = environment[name]
    return {
        **plain,
        "HOME": home,
        "USER": "root",
        "LOGNAME": "root",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "PATH": PATHS,
        "DEBIAN_FRONTEND": "noninteractive",
        # Listing only: a restart of slurmd or docker by needrestart would end jobs.
        "NEEDRESTART_MODE": "l",
        "NEEDRESTART_SUSPEND": "1",
        "ANSIBLE_CONFIG": configuration,
        "PYTHONNOUSERSITE": "1",
    }
