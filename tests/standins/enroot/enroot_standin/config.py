"""Settings: process environment, then enroot.conf, then enroot.conf.d/*.conf; the first value wins."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import MutableMapping
from pathlib import Path

from .errors import EnrootError

Environment = MutableMapping[str, str]

_LINE = re.compile(
    r"\s*(?P<key>(?:ENROOT|NVIDIA|MELLANOX)_\w+|SSL_CERT_(?:DIR|FILE)|(?:all|no|http|https)_proxy)"
    r"(?:=|\s+)(?P<value>.*)"
)
_OFF = {"", "no", "n", "N", "NO", "false", "f", "F", "FALSE"}

# Run under the name "enroot", so that bash's complaints begin as upstream's do. A value that cannot be
# expanded ("HOME: unbound variable") is skipped, and the key falls back to its default.
_EXPAND = """set -u
while IFS= read -r -d '' key && IFS= read -r -d '' raw; do
  if value=$(eval "echo ${raw}"); then export "${key}=${value}"; printf '%s\\0%s\\0' "${key}" "${value}"; fi
done
"""


def read_file(path: Path) -> list[tuple[str, str]]:
    """The (key, unexpanded value) pairs of one file, in order; other lines are ignored."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    checked = subprocess.run(["bash", "-n", str(path)], stderr=subprocess.DEVNULL, check=False)
    if checked.returncode != 0:
        raise EnrootError(f"Invalid configuration file: {path}")
    # A loop over "read" never sees a last line without its newline: upstream's trap, kept.
    lines = text.split("\n")[:-1]
    return [(match["key"], match["value"]) for match in map(_LINE.match, lines) if match]


def expand(pairs: list[tuple[str, str]], environ: Environment) -> dict[str, str]:
    """Expands values as bash does; each one sees those before it."""
    if not pairs:
        return {}
    done = subprocess.run(
        ["bash", "-c", _EXPAND, "enroot"],
        input="".join(f"{key}\0{value}\0" for key, value in pairs).encode("utf-8", "surrogateescape"),
        stdout=subprocess.PIPE,
        env=dict(environ),
        check=False,
    )
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return dict(zip(fields[0::2], fields[1::2]))


def load(environ: Environment) -> None:
    """Puts every setting that is on into the environment, and takes out those that are off."""
    directory = Path(environ.setdefault("ENROOT_SYSCONF_PATH", "/etc/enroot"))
    given = {key for key in environ if _LINE.match(f"{key}=")}
    for path in [directory / "enroot.conf", *sorted(directory.glob("enroot.conf.d/*.conf"))]:
        if not path.is_file():
            continue
        first: dict[str, str] = {}
        for key, value in read_file(path):
            if key not in given:
                first.setdefault(key, value)
        values = expand(list(first.items()), environ)
        environ.update(values)
        given |= set(values)
    for key, value in _defaults(environ).items():
        if key not in given:
            environ[key] = value
    drop_unset(environ)


def drop_unset(environ: Environment) -> None:
    """A setting that is "no" is a setting that is not there: hooks only look whether it is."""
    for key in [key for key in environ if _LINE.match(f"{key}=") and environ[key] in _OFF]:
        del environ[key]


def _defaults(environ: Environment) -> dict[str, str]:
    base = environ.get("HOME") or home()
    return {
        "ENROOT_LIBRARY_PATH": "/usr/lib/enroot",
        "ENROOT_RUNTIME_PATH": f"{environ.get('XDG_RUNTIME_DIR') or '/run'}/enroot",
        "ENROOT_CONFIG_PATH": f"{environ.get('XDG_CONFIG_HOME') or base + '/.config'}/enroot",
        "ENROOT_CACHE_PATH": f"{environ.get('XDG_CACHE_HOME') or base + '/.cache'}/enroot",
        "ENROOT_DATA_PATH": f"{environ.get('XDG_DATA_HOME') or base + '/.local/share'}/enroot",
        "ENROOT_TEMP_PATH": environ.get("TMPDIR") or "/tmp",
        "ENROOT_ZSTD_OPTIONS": "-1",
        "ENROOT_SQUASH_OPTIONS": "-comp lzo -noD -exit-on-error",
        "ENROOT_NATIVE_OVERLAYFS": "yes",
        "ENROOT_MAX_PROCESSORS": str(len(os.sched_getaffinity(0))),
        "ENROOT_MAX_CONNECTIONS": "10",
        "ENROOT_CONNECT_TIMEOUT": "30",
        "ENROOT_TRANSFER_TIMEOUT": "0",
        "ENROOT_TRANSFER_RETRIES": "0",
        "ENROOT_LOGIN_SHELL": "yes",
    }


def home() -> str:
    """The home directory of who runs this, where HOME does not say."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


def make_directories(environ: Environment) -> None:
    """Done at every start, by mkdir itself: its message is what an admin searches for."""
    paths = [environ[f"ENROOT_{name}_PATH"] for name in ("CACHE", "DATA", "RUNTIME")]
    made = subprocess.run(["sh", "-c", 'umask 077; exec mkdir -p -- "$@"', "enroot", *paths], check=False)
    if made.returncode != 0:
        raise EnrootError("", status=made.returncode)
