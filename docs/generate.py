"""Generate what follows from the roles' argument specs: defaults, README tables, the variable reference.

``make docs`` writes; ``--check`` only compares, prints the difference and exits 1 (the static test's way).
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from docs.table import cell

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- variables: generated from meta/argument_specs.yml by make docs -->"
END = "<!-- /variables -->"
REFERENCE = Path("docs/reference/variables.md")
WIDTH = 100
LONGEST_DEFAULT = 60
MISSING = object()
MARKUP = re.compile(r"\b([ICBVOPEUM]|RV)\(((?:[^()\\]|\\.)*)\)")
LINK = re.compile(r"\bL\(([^,]*),\s*([^)]*)\)")


class SpecError(Exception):
    """An argument spec from which nothing can be generated; the message names the file."""


@dataclass(frozen=True)
class Option:
    """One input of a role."""

    name: str
    spec: dict[str, Any]

    @property
    def default(self) -> Any:
        """The default, or MISSING: then the variable is undefined."""
        return self.spec.get("default", MISSING)

    @property
    def paragraphs(self) -> list[str]:
        """The description, one text a paragraph."""
        text = self.spec.get("description") or []
        return [" ".join(str(part).split()) for part in ([text] if isinstance(text, str) else text)]

    @property
    def kind(self) -> str:
        """The type as a reader sees it."""
        kind = str(self.spec.get("type", "str"))
        return "%s of %s" % (kind, self.spec["elements"]) if self.spec.get("elements") else kind


class BlockDumper(yaml.SafeDumper):
    """YAML in the house's layout: sequences indented, several lines as a literal block."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of a sequence, as yamllint wants it."""
        del indentless
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


BlockDumper.add_representer(str, _represent_text)


def read_options(role: Path) -> list[Option]:
    """Return the inputs of all entry points of a role, those of ``main`` first; raises SpecError."""
    path = role / "meta" / "argument_specs.yml"
    try:
        entries = yaml.safe_load(path.read_text())["argument_specs"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise SpecError("%s cannot be read: %s" % (path, error)) from None
    options: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda name: name != "main"):
        for name, spec in ((entries[entry] or {}).get("options") or {}).items():
            known = options.setdefault(name, spec or {})
            if known.get("default", MISSING) != (spec or {}).get("default", MISSING):
                raise SpecError(
                    "%s: entry point %s gives %s another default than main does" % (path, entry, name)
                )
            if not known.get("description"):
                raise SpecError("%s: %s has no description" % (path, name))
    return [Option(name, spec) for name, spec in options.items()]


def plain(text: str) -> str:
    """Return a description without Ansible's markup."""
    return MARKUP.sub(lambda match: match.group(2), LINK.sub(r"\1 (\2)", text))


def markdown(text: str) -> str:
    """Return a description as Markdown that is safe in a table's cell."""
    return MARKUP.sub(
        lambda match: "`%s`" % match.group(2).replace("&lt;", "<"), LINK.sub(r"[\1](\2)", cell(text))
    )


def render_defaults(role: str, options: list[Option]) -> str:
    """Return defaults/main.yml."""
    lines = ["---", "# Generated from meta/argument_specs.yml by `make docs`: edit that file."]
    for option in options:
        lines.append("")
        for paragraph in option.paragraphs:
            lines += ["# " + line for line in wrap(plain(paragraph))]
        if option.spec.get("choices"):
            lines += [
                "# " + line for line in wrap("One of: %s." % ", ".join(map(scalar, option.spec["choices"])))
            ]
        if option.default is MISSING:
            lines.append("# Required." if option.spec.get("required") else "# Not set by default.")
            lines.append("# %s:" % option.name)
        else:
            lines += dump_default(role, option)
    return "\n".join(lines) + "\n" if options else "\n".join([*lines[:1], "# No inputs.", "{}"]) + "\n"


def dump_default(role: str, option: Option) -> list[str]:
    """Return the lines of ``name: default``."""
    text = yaml.dump(
        {option.name: option.default}, Dumper=BlockDumper, sort_keys=False, allow_unicode=True, width=WIDTH
    )
    lines = text.rstrip("\n").split("\n")
    if not option.name.startswith(role + "_"):
        # An input that several roles share (remove_data) cannot carry a role's name.
        lines[0] += "  # noqa: var-naming[no-role-prefix]"
    return lines


def wrap(text: str) -> Iterator[str]:
    """Break a text into lines that fit behind ``# ``."""
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > WIDTH - 2:
            yield line
            line = word
        else:
            line = "%s %s" % (line, word) if line else word
    if line:
        yield line


def scalar(value: Any) -> str:
    """Return a value as YAML writes it on one line."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False).split("\n...")[0].strip()
    )


def default_cell(option: Option) -> str:
    """Return the table's cell for a default."""
    if option.default is MISSING:
        return "required" if option.spec.get("required") else "not set"
    text = scalar(option.default)
    return "`%s`" % text.replace("|", "\\|") if len(text) <= LONGEST_DEFAULT else "see defaults/main.yml"


def description_cell(option: Option) -> str:
    """Return the table's cell for a description, with choices and the keys of a dictionary."""
    parts = [markdown(paragraph) for paragraph in option.paragraphs]
    if option.spec.get("choices"):
        parts.append(
            "One of " + ", ".join("`%s`" % scalar(choice) for choice in option.spec["choices"]) + "."
        )
    for name, spec in (option.spec.get("options") or {}).items():
        key = Option(name, spec)
        required = ", required" if spec.get("required") else ""
        text = "`%s` (%s%s)" % (name, key.kind, required)
        parts.append(": ".join([text, description_cell(key)]) if description_cell(key) else text)
    return "<br>".join(parts)


def render_table(options: list[Option]) -> str:
    """Return the variables as a Markdown table."""
    if not options:
        return "The role has no inputs.\n"
    rows = ["| Variable | Type | Default | Meaning |", "|---|---|---|---|"]
    for option in options:
        cells = ("`%s`" % option.name, option.kind, default_cell(option), description_cell(option))
        rows.append("| %s |" % " | ".join(cells))
    return "\n".join(rows) + "\n"


def render_readme(path: Path, options: list[Option]) -> str:
    """Return a role's README with its table replaced; raises SpecError where there is no place for it."""
    try:
        text = path.read_text()
    except OSError:
        raise SpecError("%s is missing: write it, with the lines\n%s\n%s" % (path, BEGIN, END)) from None
    head, begin, rest = text.partition(BEGIN)
    _old, end, tail = rest.partition(END)
    if not begin or not end:
        raise SpecError(
            "%s lacks the place of its variable table: add the lines\n%s\n%s" % (path, BEGIN, END)
        )
    return "%s%s\n\n%s\n%s%s" % (head, BEGIN, render_table(options), END, tail)


def render_reference(options: dict[str, list[Option]]) -> str:
    """Return the reference of all variables."""
    lines = [
        "# Variables",
        "",
        "Generated from `roles/*/meta/argument_specs.yml` by `make docs`.",
        "A site sets them in `inventories/<site>/group_vars/all/<component>.yml`.",
    ]
    for role in sorted(options):
        lines += ["", "## %s" % role, "", render_table(options[role]).rstrip("\n")]
    return "\n".join(lines) + "\n"


def generate(root: Path) -> tuple[dict[Path, str], list[str]]:
    """Return what every generated file should hold, and what keeps some from being generated."""
    files: dict[Path, str] = {}
    problems: list[str] = []
    options: dict[str, list[Option]] = {}
    for role in sorted(path for path in (root / "roles").iterdir() if path.is_dir()):
        try:
            options[role.name] = read_options(role)
            files[role / "defaults" / "main.yml"] = render_defaults(role.name, options[role.name])
            files[role / "README.md"] = render_readme(role / "README.md", options[role.name])
        except SpecError as error:
            problems.append(str(error))
    files[root / REFERENCE] = render_reference(options)
    return files, problems


def difference(path: Path, wanted: str, root: Path) -> str:
    """Return a unified diff from the file as it is to what it should be; empty when it is fresh."""
    found = path.read_text() if path.exists() else ""
    name = str(path.relative_to(root))
    lines = difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), name, name + " (generated)")
    return "".join(lines)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 where something is stale")
    options = parser.parse_args(arguments)
    files, problems = generate(root)
    stale = {path: text for path, text in files.items() if difference(path, text, root)}
    for path, text in stale.items():
        if options.check:
            sys.stdout.write(difference(path, text, root))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print("wrote %s" % path.relative_to(root))
    for problem in problems:
        print(problem, file=sys.stderr)
    if options.check and stale:
        print("%d generated files are stale: run `make docs`." % len(stale), file=sys.stderr)
    return 1 if problems or (options.check and stale) else 0


if __name__ == "__main__":
    sys.exit(main())
