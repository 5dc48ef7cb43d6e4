"""dnf and rpm on this node: the back end of the module ``package_files`` for RHEL and its kin."""

from __future__ import annotations

import os
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import packages as tools
from ansible_collections.slipway.containers.plugins.module_utils.package_failures import DNF_FAILURES, explain
from ansible_collections.slipway.containers.plugins.module_utils.versions import compare

ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
# dnf would wait for another one without end; and a repository that is down matters only to who needs it.
OPTIONS = [
    "--setopt=install_weak_deps=False",
    "--setopt=exit_on_lock=True",
    "--setopt=*.skip_if_unavailable=True",
]
# The name that dnf gives to the one repository of a node that reaches no other.
CARRIED = "slipway-carried"


def only_from(repository: str) -> list[str]:
    """Return the options with which dnf knows one repository, a directory; whoever put it there answers for it."""
    return [
        "--repofrompath=%s,file://%s" % (CARRIED, urllib.parse.quote(repository)),
        "--repo=%s" % CARRIED,
        "--setopt=%s.gpgcheck=False" % CARRIED,
    ]


class Dnf:
    """Each method returns what was printed, or ends the module through ``fail_json``."""

    def __init__(self, module: Any):
        """Take the lock's patience from the module's parameters."""
        self.module = module
        self.end = time.monotonic() + module.params["lock_timeout"]
        repository = module.params["repository"]
        self.program = ["dnf", "-y", *OPTIONS, *(only_from(repository) if repository else [])]

    def run(self, command: list[str]) -> tuple[int, str]:
        """Return (exit code, stdout and stderr together), once no other package manager holds the lock."""
        while True:
            code, out, error = self.module.run_command(command, environ_update=ENVIRONMENT)
            if not code or not tools.rpm_is_locked(out + error) or time.monotonic() >= self.end:
                return code, out + error
            time.sleep(tools.LOCK_PAUSE)

    def fail(self, verb: str, names: list[str], code: int, output: str) -> None:
        """End the module with the cause."""
        told = explain(output, DNF_FAILURES, "dnf")
        self.module.fail_json(msg="cannot %s %s: %s" % (verb, ", ".join(names), told), output=output, rc=code)

    def query(self, *arguments: str) -> list[dict[str, str]]:
        """Return name, version and arch of each package that rpm finds, in its order."""
        command = ["rpm", "--query", *arguments, "--queryformat", tools.RPM_FORMAT]
        code, out, error = self.module.run_command(command, environ_update=ENVIRONMENT)
        found = tools.parse_rpm(out)
        if code and "--package" in arguments:
            self.fail("read", self.module.params["files"], code, out + error)
        return [entry for entries in found.values() for entry in entries]

    def sort_files(self) -> tuple[list[str], list[str]]:
        """Return the files that are to be installed, and those whose very version is installed.

        dnf itself would downgrade to an older file without a word.
        """
        new: list[str] = []
        same: list[str] = []
        for path in self.module.params["files"]:
            wanted = self.query("--package", path)[0]
            found = [entry["version"] for entry in self.query(wanted["name"]) if entry["arch"] == wanted["arch"]]
            newer = [version for version in found if compare(version, wanted["version"]) > 0]
            if newer:
                told = "%s %s is installed, and nothing is downgraded" % (wanted["name"], newer[0])
                self.module.fail_json(msg="cannot install %s: %s" % (os.path.basename(path), told))
            (same if wanted["version"] in found else new).append(path)
        return new, same

    def transaction(self, verb: str, wanted: list[str]) -> str:
        """Run one transaction; repositories are read anew only where what they hold may be outdated."""
        code, output = self.run([*self.program, verb, *wanted])
        if code and tools.metadata_is_stale(output):
            code, output = self.run([*self.program, "--refresh", verb, *wanted])
        if code:
            self.fail(verb, [os.path.basename(path) for path in wanted], code, output)
        for told in tools.failed_scripts(output):
            self.module.warn(told)
        return output

    def lock_versions(self, action: str) -> tuple[int, str]:
        """Have dnf's plugin versionlock ``add`` or ``delete`` those that are installed and to be held."""
        wanted = self.module.params["hold"]
        names = [entry["name"] for entry in self.query(*wanted)] if wanted else []
        return self.run([*self.program, "versionlock", action, *names]) if names else (0, "")

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let those that are to be held be changed: a lock keeps out every other version, and hold() makes it anew."""
        held = self.held(self.module.params["hold"])
        self.lock_versions("delete")
        try:
            yield
        except BaseException:
            # The module ends here, before hold(): what was locked stays so.
            if held:
                self.run([*self.program, "versionlock", "add", *held])
            raise

    def hold(self) -> None:
        """Hold the packages at what is installed now, by a plugin that minimal systems lack."""
        code, output = self.lock_versions("add")
        if code and "No such command" in output:
            self.transaction("install", ["dnf-command(versionlock)"])
            code, output = self.lock_versions("add")
        if code:
            self.module.fail_json(msg="cannot hold the packages: %s" % output.strip(), output=output, rc=code)

    def install(self) -> str:
        """Install everything in one transaction; what is there already is unpacked again by a second one."""
        params = self.module.params
        new, same = self.sort_files()
        again = [os.path.abspath(path) for path in same] + self.there() if params["reinstall"] else []
        wanted = [os.path.abspath(path) for path in new] + params["packages"]
        output = self.transaction("install", wanted) if wanted else ""
        if again:
            # This also ends a state in which two versions are in rpm's database, which a killed rpm leaves.
            output += self.transaction("reinstall", again)
        return output

    def there(self) -> list[str]:
        """Return those packages that are there already: to install them changes nothing of them."""
        # One by one, for a name with a version is answered by the name alone.
        return [name for name in self.module.params["packages"] if self.query(name)]

    def versions_of(self, name: str) -> list[str]:
        """Return in which versions a package is installed."""
        return [entry["version"] for entry in self.query(name)]

    def installed(self) -> list[str]:
        """Return which of the packages are there."""
        return sorted({entry["name"] for entry in self.query(*self.module.params["packages"])})

    def remove(self, names: list[str], act: bool = True) -> str:
        """Erase packages, or see whether that can be; rpm, unlike dnf, refuses where another one needs them."""
        held = self.held(names)
        code, output = self.run(["rpm", "--erase", *([] if act else ["--test"]), "--allmatches", *names])
        if code:
            self.fail("remove", names, code, output)
        if held and act:
            # Without its package a lock keeps every other version out, for ever.
            self.run([*self.program, "versionlock", "delete", *held])
        return output

    @staticmethod
    def held(names: list[str]) -> list[str]:
        """Return which of the packages are held at their version."""
        try:
            with open(tools.VERSIONLOCK, encoding="utf-8", errors="replace") as stream:
                return tools.held_by_versionlock(stream.read(), names)
        except FileNotFoundError:
            return []
