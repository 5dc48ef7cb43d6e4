"""Containers: started, entered, listed, removed.

A start has two halves. Outside, what the user asked for is collected (Plan); then enroot-nsenter makes
the namespaces and this program runs again inside (enter), mounts, runs the hooks and becomes the command.
The process stays the same one throughout: pyxis finds the container by it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

from . import config
from .errors import EnrootError
from .image import container_path, remove_tree, unpack

PLAN_VARIABLE = "ENROOT_STANDIN_PLAN"
_PROGRAM = "/usr/bin/enroot"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Plan:
    """What the half outside the namespaces tells the half inside."""

    rootfs: str
    command: list[str]
    writable: bool
    remap_root: bool
    mounts: list[str] = field(default_factory=list)
    environ: list[str] = field(default_factory=list)
    script: str | None = None
    hooks: str | None = None


def start(
    target: str,
    command: list[str],
    *,
    writable: bool,
    remap_root: bool,
    mounts: list[str],
    variables: list[str],
    configuration: str | None,
    script: str | None,
) -> int:
    """Starts a container by name, or an image for as long as its command runs."""
    given = Path(configuration) if configuration else None
    if given is not None:
        _apply_directives(given)
    plan = Plan(
        rootfs="",
        command=command,
        writable=writable or bool(os.environ.get("ENROOT_ROOTFS_WRITABLE")),
        remap_root=remap_root or bool(os.environ.get("ENROOT_REMAP_ROOT")),
        mounts=[_fstab_line(mount) for mount in mounts],
        environ=[text if "=" in text else f"{text}={os.environ.get(text, '')}" for text in variables],
        script=Path(script).read_text(encoding="utf-8") if script else None,
    )
    if given is not None:
        plan.mounts = [*_call(given, "mounts", command).splitlines(), *plan.mounts]
        plan.environ = [*_call(given, "environ", command).splitlines(), *plan.environ]
        plan.script = plan.script or _definition(given, "rc")
        plan.hooks = _definition(given, "hooks")
    if os.path.isfile(target):
        return _start_image(Path(target), plan)
    plan.rootfs = str(container_path(target))
    if not os.path.isdir(plan.rootfs):
        raise EnrootError(f"No such file or directory: {plan.rootfs}")
    return _unshare(plan)


def _start_image(image: Path, plan: Plan) -> int:
    """Upstream mounts the image (squashfuse, overlayfs); here it is unpacked, and removed at the end."""
    scratch = tempfile.mkdtemp(prefix="enroot.", dir=os.environ["ENROOT_TEMP_PATH"])
    try:
        plan.rootfs, plan.writable = f"{scratch}/rootfs", True
        unpack(image, Path(plan.rootfs))
        child = os.fork()
        if child == 0:
            _unshare(plan)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF
    finally:
        remove_tree(scratch)


def _unshare(plan: Plan) -> NoReturn:
    os.environ[PLAN_VARIABLE] = json.dumps(asdict(plan))
    if plan.remap_root:
        os.environ["ENROOT_REMAP_ROOT"] = "y"  # the hooks look here, whoever asked
    options = ["--remap-root"] if plan.remap_root else []
    os.execvp("enroot-nsenter", ["enroot-nsenter", *options, "--", _PROGRAM, "start"])


def enter() -> NoReturn:
    """The half inside the namespaces."""
    plan = Plan(**json.loads(os.environ.pop(PLAN_VARIABLE)))
    rootfs = Path(plan.rootfs)
    state = Path(tempfile.mkdtemp(prefix=f"{rootfs.name}.", dir=os.environ["ENROOT_RUNTIME_PATH"]))
    try:
        environ_file, mounts_file = state / "environ", state / "fstab"
        _mount(f"{rootfs} / none rbind,rprivate\n", rootfs)
        _mount("".join(_files("mounts.d", ".fstab")), rootfs)
        image_environ = _text(rootfs / "etc/environment")
        environ_file.write_text("\n".join([image_environ, *_files("environ.d", ".env"), *plan.environ, ""]))
        mounts_file.write_text("\n".join([_text(rootfs / "etc/fstab"), *plan.mounts, ""]))
        if plan.script is not None:
            (state / "rc").write_text(plan.script)
        _run_hooks(plan, rootfs, environ_file, mounts_file, state)
        _mount(mounts_file.read_text(), rootfs)
        if plan.script is not None:
            _mount(f"{state}/rc /etc/rc none x-create=file,bind\n", rootfs)
        if not plan.writable:
            subprocess.run(["enroot-mount", "--root", str(rootfs), "--readonly-root", "/dev/null"], check=True)
        variables = container_environment(environ_file.read_text(), plan.remap_root)
    finally:
        shutil.rmtree(state, ignore_errors=True)
    command = plan.command
    if plan.script is not None or (rootfs / "etc/rc").is_file():
        login = ["-l"] if os.environ.get("ENROOT_LOGIN_SHELL") else []
        command = ["/bin/sh", *login, "/etc/rc", *command]
    program = shutil.which("enroot-switchroot") or "enroot-switchroot"
    os.execve(program, [program, str(rootfs), *(command or ["/bin/sh"])], variables)


def _run_hooks(plan: Plan, rootfs: Path, environ_file: Path, mounts_file: Path, state: Path) -> None:
    """Executable *.sh of the system, then of the user, in the order of their names; then --conf's."""
    hooks: list[Path] = []
    for name in ("SYSCONF", "CONFIG"):
        found = sorted(Path(os.environ[f"ENROOT_{name}_PATH"], "hooks.d").glob("*.sh"))
        hooks += [path for path in found if os.access(path, os.X_OK)]
    if plan.hooks is not None:
        (state / "hooks.sh").write_text(f'#!/bin/bash\n{plan.hooks}\nhooks "$@"\n')
        (state / "hooks.sh").chmod(0o700)
        hooks.append(state / "hooks.sh")
    environment = {
        **os.environ,
        "ENROOT_PID": str(os.getpid()),
        "ENROOT_ROOTFS": str(rootfs),
        "ENROOT_ENVIRON": str(environ_file),
        "ENROOT_MOUNTS": str(mounts_file),
    }
    for hook in hooks:
        status = subprocess.run(["bash", str(hook), *plan.command], env=environment, check=False).returncode
        if status != 0:
            raise EnrootError(f"{hook} exited with return code {status}")


def container_environment(text: str, remap_root: bool) -> dict[str, str]:
    """KEY=VALUE lines, ${NAME} taken from the host; the last line of a key counts."""
    home = "/root" if remap_root else os.environ.get("HOME") or config.home()
    variables = {"PATH": _PATH, "HOME": home}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", key):
            continue
        told = _substitute(value)
        if told or not value:  # "TERM=${TERM}" sets nothing where the host has no TERM
            variables[key] = told
    return variables


def _substitute(text: str) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), text)


def _files(directory: str, suffix: str) -> list[str]:
    """The texts of the system's and the user's configuration files of one kind."""
    texts = []
    for name in ("SYSCONF", "CONFIG"):
        paths = sorted(Path(os.environ[f"ENROOT_{name}_PATH"], directory).glob(f"*{suffix}"))
        texts += [path.read_text(encoding="utf-8") + "\n" for path in paths]
    return texts


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _mount(fstab: str, rootfs: Path) -> None:
    done = subprocess.run(["enroot-mount", "--root", str(rootfs), "-"], input=_substitute(fstab).encode(), check=False)
    if done.returncode != 0:
        raise EnrootError("", status=done.returncode)


def _fstab_line(option: str) -> str:
    """--mount: the fields of an fstab line, with colons; a relative source is the caller's."""
    fields = [part.replace(" ", "\\040") for part in option.split(":")]
    if len(fields) == 1:
        fields.append(fields[0])
    if "/" in fields[0] or fields[0].startswith("."):
        fields[0] = os.path.abspath(fields[0])
        if len(fields) == 3:
            fields[2:] = ["none", f"x-create=auto,rbind,{fields[2]}"]
    return " ".join(fields)


def _apply_directives(configuration: Path) -> None:
    for line in configuration.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"#(ENROOT_\w+)=(.*)", line)
        if match:
            os.environ[match[1]] = match[2]
    config.drop_unset(os.environ)


def _bash(script: str, *arguments: str) -> str:
    done = subprocess.run(["bash", "-c", script, "enroot", *arguments], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise EnrootError(f"Invalid configuration file: {arguments[0]}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _call(configuration: Path, function: str, command: list[str]) -> str:
    call = f'source "$1" && shift && if declare -F {function} > /dev/null; then {function} "$@"; fi'
    return _bash(call, str(configuration), *command)


def _definition(configuration: Path, function: str) -> str | None:
    show = f'source "$1" && if declare -F {function} > /dev/null; then declare -f {function}; fi'
    text = _bash(show, str(configuration))
    return f'{text}\n{function} "$@"\n' if text and function == "rc" else text or None


def execute(pid: str, command: list[str], variables: list[str]) -> NoReturn:
    """Runs a command in a running container, with that process's environment."""
    try:
        entries = Path("/proc", pid, "environ").read_bytes().split(b"\0")
    except OSError:
        raise EnrootError(f"No such process: {pid}") from None
    environment = {}
    for text in [entry.decode("utf-8", "surrogateescape") for entry in entries] + variables:
        key, equals, value = text.partition("=")
        if equals:
            environment[key] = value
    program = shutil.which("enroot-nsenter") or "enroot-nsenter"
    os.execve(program, [program, "--target", pid, "--", *command], environment)


def processes(rootfs: Path) -> list[int]:
    """The user's processes whose root is this directory, seen from within their own namespaces."""
    wanted, found = rootfs.stat(), []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            root = os.stat(f"/proc/{entry}/root/.")
        except OSError:
            continue
        if (root.st_dev, root.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(int(entry))
    return sorted(found)


def list_containers(*, fancy: bool) -> None:
    data = Path(os.environ["ENROOT_DATA_PATH"])
    names = sorted(entry.name for entry in data.iterdir() if entry.is_dir())
    if not fancy:
        print("".join(f"{name}\n" for name in names), end="")
        return
    rows = [["NAME", "PID", "COMM", "STATE", "STARTED", "TIME", "MNTNS", "USERNS", "COMMAND"]]
    for name in names:
        first = name
        for pid in processes(data / name):
            columns = "pid=,comm=,stat=,start=,time=,mntns=,userns=,args="
            rows.append([first, *_output(["ps", "-p", str(pid), "-o", columns]).split(None, 7)])
            first = ""
        if first:
            rows.append([first])
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.strip().ljust(width) for cell, width in zip(row, widths)).rstrip())


def _output(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode(errors="replace")


def remove(names: list[str], *, force: bool) -> None:
    for name in names:
        path = container_path(name)
        if not path.is_dir():
            raise EnrootError(f"No such file or directory: {path}")
        if force or input(f"Do you really want to delete {path}? [y/N] ").lower() in ("y", "yes"):
            remove_tree(path)
