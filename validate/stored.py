"""Results in a file: written whole or not at all, read again, and refused in words where they cannot be judged."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from validate.errors import CannotStart

if TYPE_CHECKING:
    from validate.results import Judged

SCHEMA = "slipway.validate/1"
# What a stored document must have to be judged again: key -> type.
SHAPE: dict[str, type] = {
    "schema": str, "run": str, "started": (float), "finished": float, "tier": str, "checks": list, "settings": dict,
    "cluster": dict, "roster": list, "hosts": dict, "profiles": dict, "notes": list,
}  # fmt: skip
# What every host in it must have.
HOST: dict[str, Any] = {"steps": dict, "checks": dict, "said": dict, "refused": (dict, type(None))}


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
    """Return what keeps a document from being judged."""
    if not isinstance(content, dict):
        return ["it is no JSON object"]
    if content.get("schema") != SCHEMA:
        return [f"schema {content.get('schema')!r}, and this suite reads {SCHEMA!r}"]
    found = [f"{key} is missing" for key in SHAPE if key not in content]
    found += [
        f"{key} is no {kind.__name__}"
        for key, kind in SHAPE.items()
        if key in content and not isinstance(content[key], (int, float) if kind is float else kind)
    ]
    if not found and not all(isinstance(check, str) for check in content["checks"]):
        found.append("checks is no list of texts")
    if found:
        return found
    for what, entries, needed in (
        ("roster entry", enumerate(content["roster"]), dict.fromkeys(("name", "role", "gpus", "unusable"), object)),
        ("host", content["hosts"].items(), HOST),
        ("profile", content["profiles"].items(), {"kind": str}),
    ):
        found += [f"{what} {name} {said}" for name, entry in entries if (said := _entry_fault(entry, needed))]
    kind = content["settings"].get("kind")
    if kind and kind not in content["profiles"]:
        found.append(f"settings name the kind {kind!r}, and no profile is called so")
    return found


def _entry_fault(entry: Any, needed: Mapping[str, Any]) -> str:
    """Return what is wrong with one entry of a document, '' where it can be judged."""
    if not isinstance(entry, dict):
        return "is no JSON object"
    lacking = [key for key in needed if key not in entry]
    wrong = [key for key, kind in needed.items() if key in entry and not isinstance(entry[key], kind)]
    parts = [f"lacks {', '.join(lacking)}"] if lacking else []
    # What came back of a step or a check is an object as well, whatever is in it.
    whole = [key for key in ("steps", "checks") if isinstance(entry.get(key), dict)]
    wrong += [f"{key} of {name}" for key in whole for name, value in entry[key].items() if not isinstance(value, dict)]
    return " and ".join([*parts, *([f"has another form in {', '.join(wrong)}"] if wrong else [])])
