"""plugstack.conf as Slurm's spank.c reads it: line by line, split at spaces and tabs, `#` ends a line.

There is no quoting and no continuation; a carriage return is part of the word before it.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

PYXIS = "spank_pyxis.so"
FLAGS = ("required", "optional")
LONGEST_LINE = 4000  # spank.c reads lines into PATH_MAX bytes
SEPARATORS = re.compile(r"[ \t\n\v\f]+")
GLOB_CHARACTERS = re.compile(r"[*?\[]")

BOOLEANS = ("execute_entrypoint", "sbatch_support", "use_enroot_load", "use_squashfuse")
PATHS = ("runtime_path", "importer")
SCOPES = ("global", "job")
TRUE_WORDS = ("1", "true", "yes", "y")
FALSE_WORDS = ("0", "false", "no", "n")


@dataclass(frozen=True)
class Line:
    """One line; ``kind`` is required, optional, include, invalid, or empty for a comment or blank."""

    number: int
    raw: str
    kind: str
    target: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def plugin_name(self) -> str:
        """The file name of the plugin that this line registers, empty for other lines."""
        return posixpath.basename(self.target.rstrip("\r")) if self.kind in FLAGS else ""

    @property
    def comment(self) -> str:
        """The comment behind the line's words, with its `#`."""
        body = self.raw.rstrip("\r\n")
        return body[body.index("#") :] if "#" in body else ""


@dataclass(frozen=True)
class Registration:
    """What a plugin's line should say."""

    plugin: str
    arguments: tuple[str, ...] = ()
    flag: str = "required"

    @property
    def text(self) -> str:
        """The line as it stands in the file."""
        return " ".join([self.flag, self.plugin, *self.arguments])

    def matches(self, line: Line) -> bool:
        """Whether a line says the same, whatever its spacing."""
        return (line.kind, line.target, line.arguments) == (self.flag, self.plugin, self.arguments)


def parse(text: str) -> list[Line]:
    """Return every line of a plugstack.conf, its line end included in ``raw``."""
    return [_parse_line(number, raw) for number, raw in enumerate(re.findall(r"[^\n]*\n|[^\n]+$", text), 1)]


def _parse_line(number: int, raw: str) -> Line:
    words = [word for word in SEPARATORS.split(raw.split("#", 1)[0]) if word]
    if not words:
        return Line(number, raw, "")
    known = words[0] in (*FLAGS, "include") and len(words) > 1
    if not known:
        return Line(number, raw, "invalid", words[0], tuple(words[1:]))
    return Line(number, raw, words[0], words[1], tuple(words[2:]))


def is_glob(pattern: str) -> bool:
    """Return whether an include names files by a pattern."""
    return bool(GLOB_CHARACTERS.search(pattern))


def line_problems(line: Line) -> list[str]:
    """Return what is wrong with one line by itself."""
    where = f"line {line.number}: "
    problems = []
    if "\r" in line.raw.rstrip("\n"):
        problems.append(where + "ends in a carriage return, which Slurm takes for part of the last word")
    elif line.kind == "invalid":
        word = line.target if line.target not in (*FLAGS, "include") else line.target + " without a file"
        problems.append(where + f"Slurm ignores it with an error at every command: {word}")
    if line.kind == "include" and line.arguments:
        problems.append(
            where
            + "Slurm reads only the first pattern of an include, not {}".format(" ".join(line.arguments))
        )
    if line.raw.rstrip().endswith("\\") and line.kind:
        problems.append(where + "plugstack.conf has no continued lines; the backslash is an argument")
    return problems


def judge_arguments(arguments: object) -> tuple[list[str], list[str]]:
    """Return (arguments as words, problems) for a dict or a list of ``key=value``, by pyxis 0.24."""
    if isinstance(arguments, dict):
        pairs = [(str(key), _word(value)) for key, value in arguments.items()]
    elif isinstance(arguments, (list, tuple)) or arguments is None:
        parted = (str(item).partition("=") for item in arguments or ())
        pairs = [(key, value) for key, _equals, value in parted]
    else:
        return [], [f"they must be a dictionary or a list of key=value, not {arguments!r}"]
    problems = [problem for key, value in pairs for problem in _judge_argument(key, value)]
    keys = [key for key, _value in pairs]
    problems += [
        f"{key} is given more than once" for key in sorted({key for key in keys if keys.count(key) > 1})
    ]
    return ["{}={}".format(*pair) for pair in pairs], problems


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def _judge_argument(key: str, value: str) -> list[str]:
    if key not in (*BOOLEANS, *PATHS, "container_scope"):
        known = ", ".join(sorted((*BOOLEANS, *PATHS, "container_scope")))
        return [f"pyxis 0.24 does not know the argument {key}; it knows {known}"]
    if not value:
        return [f"the argument {key} has no value"]
    if re.search(r"[\s#]", value):
        return [f"the value of {key}, {value!r}, holds a space or a #; plugstack.conf cannot quote"]
    if key in BOOLEANS and value not in (*TRUE_WORDS, *FALSE_WORDS):
        return [
            "the value of {} is {}; allowed are {}".format(key, value, ", ".join((*TRUE_WORDS, *FALSE_WORDS)))
        ]
    if key in PATHS and not value.startswith("/"):
        return [f"the value of {key} is {value}; it must be an absolute path"]
    if key == "container_scope" and value not in SCOPES:
        return ["the value of container_scope is {}; allowed are {}".format(value, ", ".join(SCOPES))]
    return []
