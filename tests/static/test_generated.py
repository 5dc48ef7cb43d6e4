"""What is generated from the argument specs is fresh, and the generator loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate

ROOT = Path(__file__).parents[2]
README = "# toy\n\n%s\n\nold\n\n%s\n\ntail\n" % (generate.BEGIN, generate.END)
DEFAULTS: dict[str, Any] = {
    "a_text": "x",
    "an_empty_text": "",
    "a_number": 5,
    "a_number_as_text": "5",
    "a_version": "4.10",
    "a_fraction": 0.5,
    "yes_as_text": "yes",
    "a_bool": True,
    "nothing": None,
    "a_list": ["a", "5", 5, False],
    "an_empty_list": [],
    "a_dict": {"z": 1, "a": {"b": [1, 2]}},
    "an_empty_dict": {},
    "a_list_of_dicts": [{"name": "x", "mode": "0644"}],
    "a_mode": "0755",
    "several_lines": "one\n  two: 3\n# four\n",
    "several_lines_without_end": "one\ntwo",
    "a_template": "{{ inventory_dir }}/x",
    "a_quoted_template": "{{ lookup('env', \"HOME\") }}",
    "a_long_template": "{{ " + " ~ ".join("some_variable_%d" % number for number in range(30)) + " }}",
    "a_colon": "a: b # c",
    "umlauts": "größer",
    "a_date_as_text": "2024-01-01",
}


def spec(options: dict[str, Any], **entries: Any) -> str:
    described = {name: {"description": "Text.", **option} for name, option in options.items()}
    return yaml.safe_dump({"argument_specs": {"main": {"options": described}, **entries}}, sort_keys=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    role = tmp_path / "roles" / "toy"
    (role / "meta").mkdir(parents=True)
    (role / "README.md").write_text(README)
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    options = {"toy_%s" % name: {"type": "raw", "default": value} for name, value in DEFAULTS.items()}
    options["toy_required"] = {"type": "str", "required": True}
    options["toy_unset"] = {"type": "str"}
    options["shared"] = {"type": "str", "default": "x", "choices": ["x", "y|z"]}
    (role / "meta" / "argument_specs.yml").write_text(spec(options))
    return tmp_path


def test_everything_is_fresh() -> None:
    """Defaults, README tables and docs/reference follow from the specs."""
    files, problems = generate.generate(ROOT)
    stale = [generate.difference(path, text, ROOT) for path, text in files.items()]
    problems += [difference for difference in stale if difference]
    if problems:
        pytest.fail("run `make docs`\n\n" + "\n".join(problems), pytrace=False)


def test_every_kind_of_default_survives(repository: Path) -> None:
    assert generate.main([], repository) == 0
    text = (repository / "roles/toy/defaults/main.yml").read_text()
    loaded = yaml.safe_load(text)
    assert loaded == {**{"toy_%s" % name: value for name, value in DEFAULTS.items()}, "shared": "x"}
    assert [type(loaded["toy_%s" % name]) for name in DEFAULTS] == [
        type(value) for value in DEFAULTS.values()
    ]
    assert list(loaded)[:3] == ["toy_a_text", "toy_an_empty_text", "toy_a_number"]


def test_what_has_no_default_is_a_comment(repository: Path) -> None:
    generate.main([], repository)
    text = (repository / "roles/toy/defaults/main.yml").read_text()
    assert "# Required.\n# toy_required:\n" in text
    assert "# Not set by default.\n# toy_unset:\n" in text


def test_the_table_keeps_the_rest_of_the_page(repository: Path) -> None:
    generate.main([], repository)
    text = (repository / "roles/toy/README.md").read_text()
    assert text.startswith("# toy\n")
    assert text.endswith("\n\ntail\n")
    assert "old" not in text
    assert "| `shared` | str | `x` | Text.<br>One of `x`, `y|z`. |" in text or "y\\|z" in text
    assert generate.main(["--check"], repository) == 0


def test_check_fails_with_a_diff(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate.main([], repository)
    path = repository / "roles/toy/defaults/main.yml"
    path.write_text(path.read_text().replace("toy_a_number: 5", "toy_a_number: 7"))
    capsys.readouterr()
    assert generate.main(["--check"], repository) == 1
    output = capsys.readouterr()
    assert "-toy_a_number: 7\n+toy_a_number: 5\n" in output.out
    assert "run `make docs`" in output.err
    assert "toy_a_number: 7" in path.read_text()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("README.md", "# toy\n", "lacks the place of its variable table"),
        ("README.md", None, "is missing"),
        ("meta/argument_specs.yml", "[", "cannot be read"),
        ("meta/argument_specs.yml", None, "cannot be read"),
        (
            "meta/argument_specs.yml",
            "argument_specs: {main: {options: {toy_x: {}}}}",
            "toy_x has no description",
        ),
        (
            "meta/argument_specs.yml",
            spec({"toy_x": {"default": 1}}, remove={"options": {"toy_x": {"default": 2}}}),
            "gives toy_x another default than main",
        ),
    ],
)
def test_what_cannot_be_generated_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, problem: str
) -> None:
    path = repository / "roles/toy" / name
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert generate.main([], repository) == 1
    assert problem in capsys.readouterr().err


def test_markup_becomes_plain_text() -> None:
    assert generate.plain("V(absent) of C(/etc/x) in O(toy_x), see L(here, https://x)") == (
        "absent of /etc/x in toy_x, see here (https://x)"
    )
    assert generate.markdown("V(a|b) <x>") == "`a\\|b` &lt;x>"
