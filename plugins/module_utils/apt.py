"""apt-get and dpkg on this node: the back end of the module ``package_files`` for Debian and Ubuntu."""

from __future__ import annotations

import os
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import packages as tools
from ansible_collections.slipway.containers.plugins.module_utils.package_failures import APT_FAILURES, explain

# UCF and confold keep what an admin edited; confmiss brings back a configuration file that was deleted.
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_SUSPEND": "1",
    "UCF_FORCE_CONFFOLD": "1",
}
# apt 3 upgrades whatever is of the same source: for Slurm's headers it would restart Slurm's daemons.
OTHERS_STAY = ["-o", "APT::Get::Upgrade-By-Source-Package=false"]
CONFIGURATION_OPTIONS = ["--force-confdef", "--force-confold", "--force-confmiss"]

# How long to wait (seconds) before each further look at a mirror whose lists do not fit its Release, or whose packages
# do not fit its lists.
MIRROR_PAUSES = (5, 15, 30)


def only_from(repository: str, scratch: str) -> list[str]:
    """Return the options with which apt knows one repository, a directory, and leaves the node's own lists alone.

    Whoever put the directory there answers for it, so apt asks for no signature. ``scratch`` is a directory for lists.
    """
    sources, lists = os.path.join(scratch, "sources.list"), os.path.join(scratch, "lists")
    os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
    with open(sources, "w", encoding="utf-8") as stream:
        stream.write("deb [trusted=yes] file:%s ./\n" % urllib.parse.quote(repository))
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": lists,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        # Where only root may look, as a bundle's directory is, apt's own user could not read.
        "APT::Sandbox::User": "root",
    }
    return [word for key, value in options.items() for word in ("-o", "%s=%s" % (key, value))]


class Apt:
    """Each method returns what was printed, or ends the module through ``fail_json``."""

    def __init__(self, module: Any):
        """Take the lock's patience from the module's parameters."""
        self.module = module
        self.lock = ["-o", "DPkg::Lock::Timeout=%d" % module.params["lock_timeout"]]
        repository = module.params["repository"]
        self.sources = only_from(repository, module.tmpdir) if repository else []
        self.configuration = [word for option in CONFIGURATION_OPTIONS for word in ("-o", "Dpkg::Options::=" + option)]

    def run(self, command: list[str]) -> tuple[int, str]:
        """Return (exit code, stdout and stderr together)."""
        code, out, error = self.module.run_command(command, environ_update=ENVIRONMENT)
        return code, out + error

    def run_unlocked(self, command: list[str]) -> tuple[int, str]:
        """Do the same, again while another package manager holds a lock for which apt and dpkg do not wait."""
        end = time.monotonic() + self.module.params["lock_timeout"]
        while True:
            code, output = self.run(command)
            if not code or not tools.apt_is_locked(output) or time.monotonic() >= end:
                return code, output
            time.sleep(tools.LOCK_PAUSE)

    def fail(self, verb: str, names: list[str], code: int, output: str) -> None:
        """End the module with the cause."""
        told = explain(output, APT_FAILURES, "apt-get")
        missing = tools.wanted_version_is_missing(output)
        if missing:
            there = tools.parse_madison(self.run(["apt-cache", *self.sources, "madison", missing])[1])
            told += " They have: %s." % (", ".join(there[: tools.SHOWN_VERSIONS]) or "none")
        self.module.fail_json(msg="cannot %s %s: %s" % (verb, ", ".join(names), told), output=output, rc=code)

    def status(self, names: tuple[str, ...] = ()) -> tuple[tools.Packages, list[str]]:
        """Return the installed packages, and the names of those that are not wholly installed; all without names."""
        command = ["dpkg-query", "--show", "--showformat", tools.DPKG_FORMAT, *names]
        return tools.parse_dpkg(self.module.run_command(command)[1])

    def repair(self) -> None:
        """Finish what a killed dpkg left: journal, unconfigured packages, and half-unpacked ones of ours."""
        files = self.module.params["files"]
        if not self.status()[1] and not tools.dpkg_was_interrupted():
            return
        self.run(["dpkg", *CONFIGURATION_OPTIONS, "--configure", "-a"])
        # Somebody else's package may stay broken for reasons of its own; that is not ours to mend.
        if set(self.status()[1]) & {os.path.basename(path).split("_")[0] for path in files}:
            # A half-unpacked package must be unpacked again from its file before apt works at all.
            self.run(["dpkg", *CONFIGURATION_OPTIONS, "--force-depends", "--unpack", *files])
            # The lists of a repository that is carried begin empty, and then apt would mend by removing.
            if self.sources:
                self.update()
            options = [*self.sources, *self.lock, *self.configuration]
            self.run(["apt-get", "-y", *options, "--no-remove", "--fix-broken", "install"])

    def install(self) -> str:
        """Install everything in one transaction."""
        self.repair()
        params = self.module.params
        # apt takes a word with a slash for a file.
        files = [os.path.abspath(path) for path in params["files"]]
        code, output = self.transaction(files, params["packages"])
        if code and files and params["packages"] and tools.would_remove(output):
            # Files may have to make room for each other, as enroot of one kind for another.
            code, output = self.transaction(files, [])
            if not code:
                code, output = self.transaction([], params["packages"])
        if code:
            self.fail("install", [os.path.basename(path) for path in files] + params["packages"], code, output)
        return output

    def transaction(self, files: list[str], packages: list[str]) -> tuple[int, str]:
        """Run one transaction; returns (exit code, output). What comes from an archive removes nothing."""
        params = self.module.params
        command = ["apt-get", "-y", "--no-install-recommends", *OTHERS_STAY, *self.sources]
        command += [*self.lock, *self.configuration]
        command += ["--no-remove"] if packages else []
        command += ["--reinstall"] if params["reinstall"] else []
        command += ["install", *files, *packages]
        code, told = self.run(command)
        output = told
        # One update at once, and while a mirror is being brought up to date further ones after a while.
        for pause in (0, *MIRROR_PAUSES):
            stale = tools.lists_are_stale(told) or tools.mirror_is_changing(told)
            if not code or not stale or (pause and not tools.mirror_is_changing(output)):
                break
            if pause:
                time.sleep(pause)
            updated = self.update()
            code, told = self.run(command)
            # What went wrong with the lists is why the next try failed like the first.
            output = updated + told if code else told
        return code, output

    def update(self) -> str:
        """Read the repositories' lists anew; returns what was printed."""
        return self.run_unlocked(["apt-get", "-y", *self.sources, *self.lock, "update"])[1]

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let those that are to be held be changed meanwhile, and no other held package."""
        names = self.module.params["hold"]
        held = self.run(["apt-mark", "showhold", *names])[1].split() if names else []
        if held:
            self.run(["apt-mark", "unhold", *held])
        try:
            yield
        finally:
            if held:
                self.run(["apt-mark", "hold", *held])

    def hold(self) -> None:
        """Hold the packages that are to be held."""
        names = self.module.params["hold"]
        code, output = self.run(["apt-mark", "hold", *names])
        if code:
            self.module.fail_json(msg="cannot hold %s: %s" % (", ".join(names), output.strip()), output=output, rc=code)

    def versions_of(self, name: str) -> list[str]:
        """Return in which versions a package is installed."""
        return [entry["version"] for entry in self.status((name,))[0].get(name, [])]

    def installed(self) -> list[str]:
        """Return which of the packages are there, wholly or in part."""
        found, broken = self.status(tuple(self.module.params["packages"]))
        return sorted({*found, *broken})

    def remove(self, names: list[str], act: bool = True) -> str:
        """Remove packages, or see whether that can be; dpkg, unlike apt-get, refuses where another one needs them."""
        verb = "--purge" if self.module.params["purge"] else "--remove"
        code, output = self.run_unlocked(["dpkg", *([] if act else ["--no-act"]), verb, *names])
        if code:
            self.fail("remove", names, code, output)
        return output
