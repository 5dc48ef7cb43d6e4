"""The flags that systemd would start Docker with: what counts where no dockerd runs, as on every first install.

Apart from docker_process, because only who changes daemon.json asks.
"""

from __future__ import annotations

import re
import shlex
from typing import Callable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import command, docker_process

UNIT = "docker.service"
PROPERTIES = ("ExecStart", "Environment", "EnvironmentFiles")
SECONDS = 30
# ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// $OPTIONS ; ignore_errors=no ; … }
ARGUMENTS = re.compile(r"\bargv\[\]=(.*?) ; ignore_errors=")
FILE = re.compile(r"(.+) \(ignore_errors=\w+\)\Z")
# A word of its own is split, as systemd has it (systemd.service(5)); in braces it is not.
WHOLE = re.compile(r"\$(\w+)\Z")
BRACED = re.compile(r"\$\{(\w+)\}")
ASSIGNMENT = re.compile(r"\s*(\w+)=(.*)")


def split(text: str) -> list[str]:
    """Return the words of a text; one whose quotes do not end is split at blanks."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def assignments(text: str) -> dict[str, str]:
    """Return what a file of environment variables sets; comments begin with # or ; there."""
    lines = (ASSIGNMENT.match(line) for line in text.splitlines() if not line.lstrip().startswith(("#", ";")))
    return {match.group(1): " ".join(split(match.group(2).strip())) for match in lines if match}


def expanded(words: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return the words with the unit's variables in place."""
    found: list[str] = []
    for word in words:
        whole = WHOLE.match(word)
        if whole:
            found += split(environment.get(whole.group(1), ""))
        else:
            found.append(BRACED.sub(lambda match: environment.get(match.group(1), ""), word))
    return found


def parse(shown: str, read: Callable[[str], str]) -> list[str]:
    """Return the flags in what `systemctl show` prints of the unit; ``read`` returns a file's text, '' for none."""
    arguments: list[str] = []
    environment: dict[str, str] = {}
    for line in shown.splitlines():
        name, _equals, value = line.partition("=")
        if name == "ExecStart":
            match = ARGUMENTS.search(value)
            arguments = split(match.group(1))[1:] if match else []
        elif name == "Environment":
            environment.update(word.partition("=")[::2] for word in split(value))
        elif name == "EnvironmentFiles":
            match = FILE.match(value)
            environment.update(assignments(read(match.group(1))) if match else {})
    return expanded(arguments, environment)


def flags() -> list[str]:
    """Return the flags in Docker's unit, none where there is no such unit."""
    shown = command.run(["systemctl", "show", "--property=" + ",".join(PROPERTIES), UNIT], SECONDS)
    return docker_process.without_file(parse(shown.stdout, _read))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
