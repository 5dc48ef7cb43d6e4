"""One path of a node, compared with what is declared of it, and made so: for the module ``managed_files``."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import re
import stat
from typing import Any, Callable

from ansible_collections.slipway.containers.plugins.module_utils import files as tools
from ansible_collections.slipway.containers.plugins.module_utils import settings as key_values

DEFAULT_MODES = {"file": "0644", "settings": "0644", "directory": "0755"}
NEEDED = {"file": ("content", "secret"), "settings": ("settings",), "link": ("target",)}
TEXTS = ("file", "settings")


class Refusal(Exception):
    """A declaration that cannot be carried out; the message says why and what to do."""


def identifier(path: str, name: str, lookup: Callable[[str], Any], kind: str) -> int:
    """Return the numeric id of an owner or group; raises Refusal for a name this node does not know."""
    if name.isdecimal():
        return int(name)
    try:
        return int(lookup(name)[2])
    except KeyError:
        told = "name one that it knows, or create it first"
        raise Refusal("%s: %s %r does not exist on this node: %s" % (path, kind, name, told)) from None


def mode_bits(path: str, text: str | None) -> int | None:
    """Return a mode as a number; raises Refusal for what YAML makes of a mode without quotes."""
    if text is None:
        return None
    if not re.fullmatch("[0-7]{4}", text):
        raise Refusal("%s: mode %r is not four octal digits in quotes, such as '0644'" % (path, text))
    return int(text, 8)


class ManagedFile:
    """One declared path: ``look`` reads the node, ``reasons`` says what differs, ``apply`` changes it."""

    def __init__(self, declared: dict[str, Any], originals: str):
        """Judge the declaration; raises Refusal or ValueError."""
        self.declared = declared
        self.state = declared["state"]
        # Without this, a final slash would make a link look like its target.
        self.path = os.path.normpath(declared["path"])
        self.originals = os.path.normpath(originals)
        if not os.path.isabs(self.path):
            raise Refusal("%s: the path must be absolute" % declared["path"])
        needed = NEEDED.get(self.state, ())
        if needed and all(declared[name] is None for name in needed):
            raise Refusal("%s: state %s needs %s" % (self.path, self.state, " or ".join(map(repr, needed))))
        self.secret = self.decoded(declared["secret"] or "")
        self.owner = self.group = 0
        if self.state not in ("absent", "link"):
            self.owner = identifier(self.path, declared["owner"], pwd.getpwnam, "owner")
            self.group = identifier(self.path, declared["group"], grp.getgrnam, "group")
        self.mode = mode_bits(self.path, declared["mode"] or DEFAULT_MODES.get(self.state))
        self.capabilities = tools.encode_capabilities(declared["capabilities"] or [])
        self.before = self.after = ""

    def decoded(self, secret: str) -> str:
        """Return a secret text; raises Refusal for what is no Base64, without showing it."""
        try:
            return base64.b64decode(secret, validate=True).decode("utf-8")
        except ValueError:
            raise Refusal("%s: the secret is not text in Base64" % self.path) from None

    def look(self) -> list[str]:
        """Read what is there and return what differs from the declaration; raises Refusal, OSError or ValueError."""
        if self.state in TEXTS:
            self.before = self.read()
            self.after = self.wanted()
        return self.reasons()

    def read(self) -> str:
        """Return the text that is there now, '' for anything but a regular file, byte by byte the same."""
        if not os.path.isfile(self.path):
            return ""
        with open(self.path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()

    def wanted(self) -> str:
        """Return the text that is to be there."""
        if self.state == "file":
            content = self.secret if self.declared["content"] is None else self.declared["content"]
            return content if not content or content.endswith("\n") else content + "\n"
        # A file that is made here says so, so that absent knows it again.
        text = self.before if os.path.lexists(self.path) else "# %s\n" % tools.MARKER
        declared = self.declared
        values = key_values.as_texts(declared["settings"])
        return key_values.merge(text, values, declared["keep"], declared["separator"], declared["until"])

    def missing(self) -> bool:
        """Return whether a packaged file that we only give attributes is not there."""
        return self.state == "present" and not os.path.exists(self.path)

    def reasons(self) -> list[str]:
        """Return what differs from the declaration, as a list of words."""
        if self.state == "absent":
            return self.reasons_to_remove()
        if self.missing():
            return []
        if self.state == "link" and os.path.islink(self.path):
            return [] if os.readlink(self.path) == self.declared["target"] else ["link"]
        if not os.path.lexists(self.path):
            return ["created"]
        if not self.kind_is_right():
            self.refuse_what_is_in_the_way()
            return ["kind"]
        found = ["content"] if self.before != self.after else []
        return found + self.attribute_reasons()

    def reasons_to_remove(self) -> list[str]:
        """A directory that still holds something stays, and so does what Slipway did not make."""
        exists, target = os.path.lexists(self.path), self.declared["target"]
        is_directory = os.path.isdir(self.path) and not os.path.islink(self.path)
        if exists and target and not (os.path.islink(self.path) and os.readlink(self.path) == target):
            return []
        if not is_directory and tools.has_original(self.path, self.originals):
            return ["restored"]
        if not exists:
            return []
        if not is_directory:
            return ["removed"] if target or tools.is_ours(self.path) else []
        problem = tools.removal_problem(self.path) if self.declared["recursive"] else ""
        if problem:
            raise Refusal("%s is not removed: %s" % (self.path, problem))
        return ["removed"] if self.declared["recursive"] or not os.listdir(self.path) else []

    def kind_is_right(self) -> bool:
        """Return whether what is there is of the declared kind; where a file is declared, a link is not one."""
        if self.state == "directory":
            return os.path.isdir(self.path)
        return self.state == "present" or (self.state in TEXTS and stat.S_ISREG(os.lstat(self.path).st_mode))

    def refuse_what_is_in_the_way(self) -> None:
        """Nobody's directory is replaced, nor anything where a directory is declared."""
        if self.state == "directory":
            raise Refusal("%s is not a directory: move it away" % self.path)
        if os.path.isdir(self.path) and not os.path.islink(self.path):
            raise Refusal("%s is a directory, expected a %s: move it away" % (self.path, self.state))

    def attribute_reasons(self) -> list[str]:
        """Return which of owner, group, mode and capabilities differ."""
        status = os.stat(self.path)
        found = []
        if (status.st_uid, status.st_gid) != (self.owner, self.group):
            found.append("owner")
        if self.mode is not None and stat.S_IMODE(status.st_mode) != self.mode:
            found.append("mode")
        if self.declared["capabilities"] is not None and tools.read_capabilities(self.path) != self.capabilities:
            found.append("capabilities")
        return found

    def apply(self, reasons: list[str]) -> None:
        """Make the path as declared; raises OSError."""
        if self.state == "absent":
            tools.clear_leftovers(self.path)
            if "restored" in reasons:
                tools.restore_original(self.path, self.originals)
            else:
                tools.remove_path(self.path, self.declared["recursive"])
            return
        tools.make_directories(self.path if self.state == "directory" else os.path.dirname(self.path))
        if self.state == "link":
            tools.keep_original(self.path, self.originals)
            tools.link_atomically(self.path, self.declared["target"])
            return
        if self.state in TEXTS and set(reasons) & {"created", "kind", "content"}:
            tools.keep_original(self.path, self.originals)
            content = self.after.encode("utf-8", "surrogateescape")
            tools.write_atomically(self.path, content, self.mode or 0, self.owner, self.group)
        self.apply_attributes()

    def apply_attributes(self) -> None:
        """Set owner, mode and capabilities, in this order: chown clears the set-id bits and the capabilities."""
        status = os.stat(self.path)
        if (status.st_uid, status.st_gid) != (self.owner, self.group):
            os.chown(self.path, self.owner, self.group)
        if self.mode is not None:
            os.chmod(self.path, self.mode)
        if self.declared["capabilities"] is not None:
            tools.write_capabilities(self.path, self.capabilities)

    def diff(self, reasons: list[str]) -> dict[str, str]:
        """Return the difference for ``--diff``; bytes that are no UTF-8 are shown as such, and secrets not at all."""
        texts = ("", "") if self.declared["secret"] is not None else (self.before, self.after)
        before, after = (text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in texts)
        header = "%s (%s)" % (self.path, ", ".join(reasons))
        return {"before_header": self.path, "after_header": header, "before": before, "after": after}
