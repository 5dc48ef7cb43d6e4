"""Credentials of image registries in the forms in which the runtimes read them. Pure."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Iterable, Mapping

# Docker Hub asks under other names than the one that people write, and NVIDIA's registry has its tokens elsewhere.
DOCKER_HUB = "docker.io"
DOCKER_NAMES = {DOCKER_HUB: "https://index.docker.io/v1/"}
NETRC_MACHINES = {
    DOCKER_HUB: ("registry-1.docker.io", "auth.docker.io"),
    "nvcr.io": ("nvcr.io", "authn.nvidia.com"),
}
# HOST or HOST:PORT, as in an image's name.
REGISTRY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?\Z")


class Invalid(ValueError):
    """An entry that cannot be written; the message never has the password in it."""


def checked(credentials: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (registry, user name, password) of each entry; raises Invalid with everything that is wrong."""
    entries = list(credentials)
    wrong = problems(entries)
    if wrong:
        raise Invalid("; ".join(wrong))
    return [_texts(entry) for entry in entries]


def _texts(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    registry, user, password = (str(entry.get(key) or "") for key in ("registry", "username", "password"))
    return registry, user, password


def problems(credentials: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return everything that is wrong with the entries, without a secret."""
    names, problems = [], []
    for number, entry in enumerate(credentials):
        registry, user, password = _texts(entry)
        where = "registry_credentials[%d] (%s)" % (number, registry if REGISTRY.match(registry) else "no registry")
        if not REGISTRY.match(registry):
            problems.append("%s: registry must be HOST or HOST:PORT, without a path" % where)
        if not user or not password:
            problems.append("%s: username and password must not be empty" % where)
        if re.search(r"\s", user) or (re.search(r"\s", password) and not is_command(password)):
            problems.append("%s: neither username nor password may have blanks in it" % where)
        if ":" in user:
            problems.append("%s: a username has no colon" % where)
        if password.startswith("$") and not is_command(password):
            problems.append("%s: enroot would expand a password that begins with $" % where)
        if "\n" in password:
            problems.append("%s: a password has no line break" % where)
        names.append(registry)
    twice = sorted({name for name in names if names.count(name) > 1})
    return problems + ["registry_credentials has %s twice" % name for name in twice]


def is_command(password: str) -> bool:
    """Tell whether a password is a command, $(…), that enroot runs each time to have a token."""
    return password.startswith("$(") and password.endswith(")")


def netrc(credentials: Iterable[Mapping[str, Any]]) -> str:
    """Return the lines of enroot's .credentials: one line a machine, without indentation and without a port."""
    lines = []
    for registry, user, password in checked(credentials):
        host = registry.partition(":")[0]
        for machine in NETRC_MACHINES.get(host, (host,)):
            lines.append("machine %s login %s password %s" % (machine, user, password))
    return "".join(line + "\n" for line in dict.fromkeys(lines))


def docker_config(credentials: Iterable[Mapping[str, Any]]) -> str:
    """Return Docker's config.json, which podman, skopeo and Apptainer read as well; commands are left out."""
    logins = {
        DOCKER_NAMES.get(registry, registry): {"auth": base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}
        for registry, user, password in checked(credentials)
        if not is_command(password)
    }
    return json.dumps({"auths": logins}, indent=2, sort_keys=True) + "\n"
