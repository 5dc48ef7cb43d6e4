"""The schema of the results: everything that the suite writes validates, and what it must not write does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.validate.conftest import NOW
from validate import model, results, stored

SCHEMA = json.loads((Path(results.__file__).parent / "schema" / "results-1.json").read_text())
CHECKER = jsonschema.Draft202012Validator(SCHEMA)


def faults(content: Any) -> list[str]:
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in CHECKER.iter_errors(content)]


def written(document: dict[str, Any], place: Path) -> Any:
    stored.save(results.judged(document), place / "results.json")
    return json.loads((place / "results.json").read_text())


def test_the_schema_is_one_and_names_what_the_suite_has():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == SCHEMA["properties"]["schema"]["const"] == stored.SCHEMA
    assert SCHEMA["$defs"]["step"]["enum"] == list(model.STEPS)
    assert set(SCHEMA["$defs"]["verdict"]["properties"]["status"]["enum"]) == set(model.SEVERITY)
    assert set(SCHEMA["required"]) == {key for key in stored.FORM if not key.endswith("?")}
    assert set(stored.FORM) - set(SCHEMA["required"]) == {"accepted?", "history?"}


def test_good_results_validate(document, tmp_path):
    assert faults(written(document, tmp_path)) == []


def test_bad_results_validate(document, tmp_path):
    """Dead, drained, busy, lost in the middle, broken, failed and blocked; and stopped by Ctrl-C."""
    hosts = document["hosts"]
    hosts.pop("gpu001")
    document["roster"][2].update(unusable="drained", reason="disk", reason_by="ops", reason_at="T")
    hosts.pop("gpu002")
    silent = {"steps": {}, "checks": {}, "said": {}, "refused": None, "job": None}
    hosts["gpu003"] = {**silent, "refused": {"said": "x", "jobs": [["4711", "eve", "R"]]}}
    hosts["gpu004"] = {**silent, "said": {"host": "srun: error"}, "job": 7}
    hosts["gpu005"]["checks"]["N-06"] = {
        "check": "N-06",
        "step": "host",
        "error": "hung",
        "timeout": True,
        "received": NOW,
    }
    hosts["gpu006"]["checks"]["N-10"]["observed"]["ENROOT_DATA_PATH"]["options"] = "rw,noexec"
    del hosts["gpu006"]["steps"]["container"]
    hosts["gpu007"]["steps"]["group"]["nodes"] = ["gpu007", "gpu008"]
    document["cluster"]["interrupted"] = True
    document["history"] = {"gpu005": [{"run": "0123abcd", "rates": {"x": 1.5}, "odd": False}]}
    content = written(document, tmp_path)
    assert faults(content) == [] and len({item["status"] for item in content["verdicts"]}) >= 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("roster"), "'roster' is a required property"),
        (lambda content: content.update(schema="slipway.validate/2"), "was expected"),
        (lambda content: content["verdicts"][0].update(status="OK"), "'OK' is not one of"),
        (lambda content: content["verdicts"][0].update(status="FAIL"), "is a required property"),
        (lambda content: content["hosts"]["gpu001"]["checks"]["N-06"].pop("observed"), "is not valid under any"),
        (lambda content: content.update(more=1), "'more' was unexpected"),
    ],
)
def test_what_is_wrong_does_not_validate(document, tmp_path, change, words):
    content = written(document, tmp_path)
    change(content)
    assert any(words in fault for fault in faults(content)), faults(content)
