"""Unpack a bundle on a node and start the hook in it. Stands alone: the standard library only, Python 3.9 or newer.

Neither venv nor pip is needed: the wheels are unpacked into a directory that Python itself takes for an environment
because of its ``pyvenv.cfg``. The system's Python is only started, never changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import random
import re
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, NoReturn

if __package__:
    from . import fetch
else:  # started as a file, with the other one beside it
    import fetch  # type: ignore[import-not-found,no-redef]

CANDIDATES = ("/var/lib/slipway/lifecycle", "/opt/slipway/lifecycle")
NEEDED_BYTES = 400 << 20
BLOCK = 1 << 20
BUNDLE = re.compile(r"slipway-([0-9a-f]{16})\.tar\Z")
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
UNPACKED = "unpacked.json"
PARTIAL = ".partial-"
LOCK_SECONDS = 300.0
BAD_CONFIGURATION, OUT_OF_BUDGET, UNUSABLE = 2, 3, 4
PROVISIONING_LOG = "/var/log/provision/provisioning.log"
RUNNER = "import sys; from ansible.cli.playbook import main; sys.exit(main())"


class Refused(Exception):
    """The hook cannot be started; ``code`` is the exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def say(text: str) -> None:
    """Write a line for the platform's log."""
    print("%s %s" % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text), flush=True)


def main(arguments: list[str]) -> NoReturn:
    """Start the hook, or end with an exit code and a line that names the cause."""
    rest: list[str] = []
    try:
        location, sha256, rest = split_arguments(arguments)
        directory = prepare(location, sha256)
        start(directory, rest)
    except Refused as refused:
        code, cause = refused.code, str(refused)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, ValueError, KeyError) as error:
        code, cause = UNUSABLE, "the bundle cannot be unpacked: %s: %s" % (type(error).__name__, error)
    hook = rest[0] if rest else "hook"
    finish(hook, "slipway %s: failed (exit %d): %s" % (hook, code, " ".join(cause.split())))
    sys.exit(code)


def finish(hook: str, line: str) -> None:
    """Say the cause where the platform looks for it; a HyperPod node that failed is gone soon, so its log waits."""
    say(line)
    if hook not in ("on-create", "on-init-complete"):
        return
    try:
        os.makedirs(os.path.dirname(PROVISIONING_LOG), exist_ok=True)
        with open(PROVISIONING_LOG, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError as error:
        say("%s cannot be written: %s" % (PROVISIONING_LOG, error.strerror))
    os.sync()
    time.sleep(float(os.environ.get("SLIPWAY_FLUSH_SECONDS", "60")))


def split_arguments(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    """Return (where the bundle may be, its sha256 or '', the hook's own arguments); raises Refused.

    ``--bundle`` and ``--bundle-sha256`` are ours. Without them the environment is asked, then the bundle beside this
    file is taken.
    """
    given = {
        "--bundle": os.environ.get("SLIPWAY_BUNDLE", ""),
        "--bundle-sha256": os.environ.get("SLIPWAY_BUNDLE_SHA256", ""),
    }
    rest = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in given:
            rest.append(word)
            continue
        given[name] = value if equals else next(words, "")
        if not given[name]:
            raise Refused(BAD_CONFIGURATION, "%s needs a value" % name)
    sha256 = given["--bundle-sha256"].lower()
    if sha256 and not SHA256.match(sha256):
        raise Refused(BAD_CONFIGURATION, "--bundle-sha256 must be 64 hexadecimal digits, found %r" % sha256)
    locations = given["--bundle"].split() or beside()
    if not locations:
        raise Refused(BAD_CONFIGURATION, "no bundle: give --bundle (https://…, s3://… or a path) and --bundle-sha256")
    return locations, sha256, rest


def beside() -> list[str]:
    """Return the bundle that lies beside this file, as HyperPod copies a whole prefix."""
    here = Path(os.environ.get("SLIPWAY_HOOK_DIRECTORY") or Path(__file__).resolve().parent)
    found = sorted(str(path) for path in here.glob("slipway-*.tar") if BUNDLE.match(path.name))
    if len(found) > 1:
        raise Refused(BAD_CONFIGURATION, "several bundles lie in %s: %s: keep one" % (here, ", ".join(found)))
    return found


def prepare(locations: list[str], sha256: str) -> str:
    """Return the directory of the unpacked bundle, fetching and unpacking it where it is not there yet."""
    check_python()
    local = next((item for item in locations if os.path.isfile(item)), "")
    if not sha256:
        match = BUNDLE.search(local)
        if not match:
            raise Refused(BAD_CONFIGURATION, "a bundle that is fetched needs --bundle-sha256")
        sha256 = digest_of(local)
        if not sha256.startswith(match.group(1)):
            message = "%s is damaged: its sha256 is %s" % (local, sha256)
            raise Refused(BAD_CONFIGURATION, message)
    given = os.environ.get("SLIPWAY_WORK_DIRECTORY", "")
    if os.geteuid() != 0 and not given:
        raise Refused(UNUSABLE, "the hook runs as uid %d and needs root: start it with sudo" % os.geteuid())
    work = choose_directory((given,) if given else CANDIDATES)
    directory = os.path.join(work, "%s-%s" % (sha256[:16], kind()[0]))
    with open(os.path.join(work, ".bootstrap.lock"), "w", encoding="ascii") as lock:
        wait_for(lock.fileno())
        if os.path.isfile(os.path.join(directory, UNPACKED)):
            return directory
        for name in os.listdir(work):
            if name.startswith(PARTIAL):
                shutil.rmtree(os.path.join(work, name), ignore_errors=True)
        partial = tempfile.mkdtemp(prefix=PARTIAL, dir=work)
        try:
            bundle = local if local and digest_of(local) == sha256 else obtain(locations, sha256, partial)
            unpack(bundle, partial, sha256)
            if os.path.isdir(directory):
                shutil.rmtree(directory)
            os.chmod(partial, 0o755)
            os.rename(partial, directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return directory


def check_python() -> None:
    """Refuse a Python for which there are no wheels in any bundle."""
    if sys.version_info < (3, 9):
        raise Refused(UNUSABLE, "Python %s is too old: 3.9 or newer is needed" % platform.python_version())


def kind() -> tuple[str, str]:
    """Return this node's kind (``cp310-x86_64``) and how the manifest names it (``3.10/x86_64``)."""
    version, machine = "%d.%d" % sys.version_info[:2], platform.machine()
    return "cp%s-%s" % (version.replace(".", ""), machine), "%s/%s" % (version, machine)


def obtain(locations: list[str], sha256: str, directory: str) -> str:
    """Fetch the bundle, after a random share of the time over which all nodes' requests are spread."""
    spread = float(os.environ.get("SLIPWAY_SPREAD_SECONDS", "10"))
    if any(not os.path.exists(item) for item in locations):
        time.sleep(random.uniform(0.0, spread))
    destination = os.path.join(directory, "bundle.tar")
    try:
        fetched = fetch.fetch(locations, sha256, destination, say=say)
    except fetch.FetchError as error:
        raise Refused(UNUSABLE, "the bundle cannot be fetched: %s" % error) from None
    os.environ["SLIPWAY_FETCHED"] = json.dumps(fetched._asdict())
    say("fetched the bundle: %d bytes, %d tries, %.1f s" % (fetched.bytes, fetched.attempts, fetched.seconds))
    return destination


def wait_for(descriptor: int) -> None:
    """Hold the lock: two hooks of one node may begin in the same second."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > end:
                raise Refused(OUT_OF_BUDGET, "another bootstrap is in progress since %.0f s" % LOCK_SECONDS) from None
            time.sleep(0.5)


def choose_directory(candidates: tuple[str, ...]) -> str:
    """Return the first directory with room in which programs may run; raises Refused with what is wrong with each."""
    faults = []
    for path in candidates:
        try:
            os.makedirs(path, mode=0o755, exist_ok=True)
            found = os.statvfs(path)
        except OSError as error:
            faults.append("%s: %s" % (path, error.strerror))
            continue
        free = found.f_bavail * found.f_frsize
        if found.f_flag & os.ST_RDONLY or not os.access(path, os.W_OK):
            faults.append("%s cannot be written" % path)
        elif found.f_flag & getattr(os, "ST_NOEXEC", 8):
            faults.append("%s is mounted noexec" % path)
        elif free < NEEDED_BYTES:
            faults.append("%s: %d MiB free, needed are %d" % (path, free >> 20, NEEDED_BYTES >> 20))
        elif found.f_files and found.f_favail < 20_000:
            faults.append("%s: %d inodes free, needed are 20000" % (path, found.f_favail))
        else:
            return path
    raise Refused(UNUSABLE, "no directory to unpack in: %s" % "; ".join(faults))


def digest_of(path: str) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def unpack(bundle: str, directory: str, sha256: str) -> None:
    """Unpack what this node needs, each file verified; raises Refused, or an error of tarfile, zipfile or the disk."""
    with tarfile.open(bundle, "r:") as archive:
        first = archive.next()
        stream = archive.extractfile(first) if first and first.name == "manifest.json" else None
        if first is None or stream is None:
            raise Refused(BAD_CONFIGURATION, "%s is no bundle of Slipway: manifest.json must come first" % bundle)
        manifest = json.load(stream)
        wheels = manifest["wheels"].get(kind()[1])
        if wheels is None:
            listed = ", ".join(sorted(manifest["wheels"]))
            raise Refused(UNUSABLE, "the bundle has no wheels for Python %s (it has %s)" % (kind()[1], listed))
        for member in archive:
            if member.name == first.name:
                continue
            if member.name.startswith("wheels/") and member.name[len("wheels/") :] not in wheels:
                continue
            write_member(archive, member, directory, manifest["files"])
    make_environment(directory, wheels)
    if os.path.exists(os.path.join(directory, "bundle.tar")):
        os.unlink(os.path.join(directory, "bundle.tar"))
    facts = {"digest": sha256, "built": manifest["built"], "version": manifest["version"]}
    Path(directory, UNPACKED).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: str, files: dict[str, Any]) -> None:
    """Write one file; what the manifest does not name, or names otherwise, is refused."""
    stream = archive.extractfile(member) if member.isreg() else None
    known = files.get(member.name)
    if stream is None or known is None or member.name.startswith("/") or ".." in member.name.split("/"):
        raise Refused(BAD_CONFIGURATION, "the bundle has %r, which its manifest does not name" % member.name)
    path = os.path.join(directory, member.name)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    digest = hashlib.sha256()
    with open(path, "wb") as target:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
            target.write(block)
    os.chmod(path, 0o644)
    if digest.hexdigest() != known["sha256"]:
        raise Refused(BAD_CONFIGURATION, "%s in the bundle is damaged" % member.name)


def make_environment(directory: str, wheels: list[str]) -> None:
    """Unpack the wheels where Python looks for an environment's packages."""
    version = "%d.%d" % sys.version_info[:2]
    packages = os.path.join(directory, "python", "lib", "python" + version, "site-packages")
    programs = os.path.join(directory, "python", "bin")
    os.makedirs(packages)
    os.makedirs(programs)
    for name in wheels:
        path = os.path.join(directory, "wheels", name)
        unpack_wheel(path, packages)
        os.unlink(path)
    interpreter = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    configuration = {
        "home": os.path.dirname(interpreter),
        # The distribution's own packages (python3-apt) stay in reach, behind ours.
        "include-system-site-packages": "true",
        "version": platform.python_version(),
    }
    text = "".join("%s = %s\n" % pair for pair in configuration.items())
    Path(directory, "python", "pyvenv.cfg").write_text(text, encoding="utf-8")
    for name in ("python", "python3"):
        os.symlink(interpreter, os.path.join(programs, name))
    # By its directory, so that the environment may be renamed.
    starter = Path(programs, "ansible-playbook")
    words = 'exec "$(dirname -- "$0")/python" -I -c \'%s\' "$@"' % RUNNER
    starter.write_text("#!/bin/sh\n%s\n" % words, encoding="utf-8")
    starter.chmod(0o755)
    code = "../../../../collections/ansible_collections/slipway/containers\n"
    Path(packages, "slipway.pth").write_text(code, encoding="utf-8")


def unpack_wheel(path: str, packages: str) -> None:
    """Unpack a wheel (PEP 427) as an installer would; its scripts are not needed."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if name.startswith("/") or ".." in parts:
                raise Refused(BAD_CONFIGURATION, "%s holds the name %r" % (os.path.basename(path), name))
            if parts[0].endswith(".data"):
                if parts[1] not in ("purelib", "platlib"):
                    continue
                parts = parts[2:]
            if name.endswith("/"):
                continue
            target = os.path.join(packages, *parts)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as stream:
                shutil.copyfileobj(source, stream)


def start(directory: str, arguments: list[str]) -> None:
    """Become the hook."""
    environment = {**os.environ, "SLIPWAY_BUNDLE_DIRECTORY": directory, "PYTHONNOUSERSITE": "1"}
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "SLIPWAY_BUNDLE", "SLIPWAY_BUNDLE_SHA256"):
        environment.pop(name, None)
    remove = environment.pop("SLIPWAY_TEMPORARY", "")
    if remove:
        shutil.rmtree(remove, ignore_errors=True)
    python = os.path.join(directory, "python", "bin", "python")
    sys.stdout.flush()
    # -I: nothing is imported from the current directory, which is the platform's, nor from a user's.
    os.execve(python, [python, "-I", "-m", "lifecycle", *arguments], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
