"""Results in a file: written whole or not at all, read again, and refused in words where they cannot be judged."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from validate import kinds
from validate.errors import CannotStart

if TYPE_CHECKING:
    from validate.results import Judged

SCHEMA = "slipway.validate/1"
NUMBER = (float, int)
# What a verdict reads of a document, beside what the checks read of their own observations: a mapping is an object with
# these keys (``*`` is every one, ``?`` may be absent or null), a list has entries of that form, a tuple names several.
FORM: dict[str, Any] = {
    "schema": str, "run": str, "started": NUMBER, "finished": NUMBER, "tier": str, "checks": [str], "notes": [str],
    "settings": {"kind?": str, "allow?": [str], "workloads?": [str]},
    "cluster": {"only_in_slurm?": [str], "afterwards?": {"*": str}},
    "roster": [{
        "name": str, "role": str, "gpus": int, "unusable": str, "reason?": str, "unreached?": str, "hardware?": str,
        "partitions?": [str],
    }],
    "hosts": {"*": {
        "steps": {"*": {"hello?": {"hardware?": {}}}},
        "checks": {"*": {}},
        "said": {},
        "refused": ({"said?": str, "jobs?": [list]}, None),
    }},
    "profiles": {"*": {
        "kind": str, "has?": [str], "gpus?": int, "match?": str, "skip?": {}, "expect?": {},
    }},
    "accepted?": {"*": {"at": NUMBER, "observed": {}}},
    "history?": {"*": [{"rates?": {"*": NUMBER}}]},
}  # fmt: skip
NAMES: dict[Any, str] = {str: "text", int: "whole number", float: "number", list: "list", None: "null"}
# Of a damaged file more would say no more.
SHOWN = 5


def save(judged: Judged, path: Path) -> None:
    """Write a document with its verdicts beside what was observed."""
    verdicts = [{key: value for key, value in vars(item).items() if value} for item in judged.verdicts]
    content = {**judged.document, "verdicts": verdicts, "nodes": judged.nodes, "exit_code": judged.exit_code}
    write(path, text(content))


def text(content: Mapping[str, Any]) -> str:
    """Return a document as JSON with a host or a verdict a line, which can be searched and compared line by line.

    json.dumps with an indent takes four times as long: it then does without its part in C.
    """
    parts = ",\n".join(f"{json.dumps(key)}: {_spread(value)}" for key, value in content.items())
    return f"{{\n{parts}\n}}\n"


def _spread(value: Any) -> str:
    if isinstance(value, Mapping) and value:
        return "{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(part)}" for key, part in value.items()) + "\n}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f" {json.dumps(part)}" for part in value) + "\n]"
    return json.dumps(value)


def write(path: Path, content: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of its own name, because another run may write there; not tempfile's, whose files none but their owner reads.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        # A file's name on a node need not be text; what stands for its bytes is none either.
        temporary.write_text(content, encoding="utf-8", errors="backslashreplace")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Return stored results; CannotStart says what is wrong with the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CannotStart(f"{path}: no such file; a run writes results.json into its output directory") from None
    except (OSError, ValueError) as error:
        raise CannotStart(f"{path} cannot be read as results: {error}") from None
    problems = faults(content)
    if problems:
        raise CannotStart(f"{path} is no results file of this suite: {'; '.join(problems)}")
    return dict(content)


def faults(content: Any) -> list[str]:
    """Return what keeps a document from being judged, each with where it is in it."""
    if not isinstance(content, dict):
        return ["it is no JSON object"]
    if content.get("schema") != SCHEMA:
        return [f"schema {content.get('schema')!r}, and this suite reads {SCHEMA!r}"]
    found = _faults(content, FORM, "")
    if found:
        return found[:SHOWN] + [f"and {len(found) - SHOWN} more"] * (len(found) > SHOWN)
    kind = content["settings"].get("kind")
    lacking = [name for name in ([kind] if kind else kinds.GENERAL) if name not in content["profiles"]]
    if lacking and kind:
        found.append(f"settings name the kind {kind!r}, and no profile is called so")
    elif lacking:
        found.append(f"profiles lack {', '.join(lacking)}")
    for name, profile in content["profiles"].items():
        try:
            re.compile(profile.get("match") or "")
        except re.error as error:
            found.append(f"profiles/{name}/match is no regular expression: {error}")
    return found


def _faults(value: Any, form: Any, where: str) -> list[str]:
    """Return what of a value has another form than FORM's part."""
    if isinstance(form, tuple):
        tried = [_faults(value, one, where) for one in form]
        return [] if [] in tried else tried[0]
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        return [fault for key, part in form.items() for fault in _of_key(value, key, part, where and f"{where}/")]
    if isinstance(form, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [fault for at, entry in enumerate(value) for fault in _faults(entry, form[0], f"{where}/{at}")]
    fits = value is None if form is None else isinstance(value, form)
    return [] if fits else [f"{where} is no {NAMES[form]}"]


def _of_key(value: Mapping[str, Any], key: str, form: Any, where: str) -> list[str]:
    """Return what is wrong with a key of an object, as FORM names it."""
    if key == "*":
        return [fault for name, part in value.items() for fault in _faults(part, form, f"{where}{name}")]
    name = key.rstrip("?")
    if name not in value:
        return [] if name != key else [f"{where}{name} is missing"]
    return [] if name != key and value[name] is None else _faults(value[name], form, where + name)
