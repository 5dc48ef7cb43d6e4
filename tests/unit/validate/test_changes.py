"""A host beside itself: what is another since it was accepted, and which of two that differ was changed."""

from __future__ import annotations

import copy
import json
import time

import pytest

from tests.unit.validate.conftest import NOW, cluster
from validate import catalogue, changes, history, results
from validate.command import remembering
from validate.model import FAIL, PASS, WARN, Verdict
from validate.report import html, terminal

CONF = "/etc/enroot/enroot.conf"


def remembered(document, tmp_path):
    """A good run of these hosts is stored; then the document is judged beside it."""
    good = remembering(cluster(len(document["roster"]) - 1), tmp_path)
    assert set(good.nodes.values()) == {"PASS"} and good.changed == {}
    history.save(good, tmp_path)
    return remembering(document, tmp_path)


def edited(document, node, text="f" * 16 + " 0644"):
    files = document["hosts"][node]["checks"]["N-07"]["observed"]
    document["hosts"][node]["checks"]["N-07"]["observed"] = {**files, CONF: text}
    return document


def test_a_node_that_fails_says_what_is_another_since_it_was_accepted(tmp_path):
    document = edited(cluster(3), "gpu001")
    document["hosts"]["gpu001"]["checks"]["N-08"]["observed"]["limit"] = 0
    judged = remembered(document, tmp_path)
    said = judged.changed["gpu001"]["checks"]
    assert set(said) == {"N-07"} and f"{CONF}: before 0123456789abcdef 0644, gpu001 {'f' * 16} 0644" in said["N-07"]
    assert set(judged.changed) == {"gpu001"}
    text = terminal.render(judged)
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(NOW))
    assert f"  changed since {day}, when it was accepted: N-07 {CONF}" in text
    assert f'"since":["changed since {day}' in html.render(judged)


def test_of_two_nodes_that_differ_the_one_that_was_changed_is_named(tmp_path):
    judged = remembered(edited(cluster(2), "gpu002"), tmp_path)
    cells = {cell.node: cell for cell in judged.verdicts if cell.check == "N-07" and cell.node != "login1"}
    assert {cell.status for cell in cells.values()} == {WARN}
    for cell in cells.values():
        assert "cannot be told which is right; gpu002 changed since it was last accepted" in cell.cause


def test_where_the_same_edit_was_made_on_most_nodes_the_one_without_it_is_not_accused_alone(tmp_path):
    judged = remembered(edited(edited(cluster(3), "gpu001"), "gpu003"), tmp_path)
    (cell,) = [cell for cell in judged.verdicts if cell.check == "N-07" and cell.status == FAIL]
    assert cell.node == "gpu002"
    assert cell.cause.endswith("; or the others are wrong: gpu001, gpu003 changed in this since last accepted")


def test_where_most_nodes_changed_in_something_else_one_that_was_edited_is_accused(tmp_path):
    document = edited(cluster(3), "gpu002")
    for host in document["hosts"].values():
        if "N-07" in host["checks"]:
            host["checks"]["N-07"]["observed"]["/etc/enroot/environ.d/new.env"] = "0" * 16 + " 0644"
    judged = remembered(document, tmp_path)
    (cell,) = [cell for cell in judged.verdicts if cell.check == "N-07" and cell.status == FAIL]
    assert cell.node == "gpu002" and "others are wrong" not in cell.cause
    # Nobody remembers this one: it came with an edit, or the others came to it.
    for others in ([], ["gpu001"]):
        changed = {node: {"checks": {"N-07": "/etc/enroot/other"}} for node in others}
        cells = changes.named(judged.verdicts, changed)
        assert not [cell for cell in cells if "others are wrong" in cell.cause]


@pytest.mark.parametrize(
    ("check", "observed", "changed", "hinted"),
    [
        ("N-07", f"{CONF} 0123 0644", f"{CONF}: before 0123 0644, gpu002 4567 0644", True),
        ("N-07", f"{CONF} 0123 0644", f"{CONF}.d/site.conf: before 0123 0644, gpu002 missing", False),
        ("N-06", "enroot 4.1.1", "enroot+caps: before 4.1.1, gpu002 4.1.2", False),
        ("N-22", "as 100", "class: before 1, nas02 2", False),
        ("N-30", "names that resolve: none", "names that resolve: before none, gpu002 its own name", True),
        ("N-30", "names that resolve: none", "where names are looked up: before files, gpu002 files dns", False),
    ],
)
def test_a_name_that_only_begins_like_another_is_not_that_one(check, observed, changed, hinted):
    cells = [Verdict("gpu001", check, FAIL, observed, cause="x"), *(Verdict(f"gpu00{n}", check, PASS) for n in (2, 3))]
    since = {f"gpu00{n}": {"checks": {check: changed}} for n in (2, 3)}
    assert ("others are wrong" in changes.named(cells, since)[0].cause) == hinted


def test_where_both_were_changed_alike_nothing_is_said(tmp_path):
    judged = remembered(edited(edited(cluster(2), "gpu001"), "gpu002"), tmp_path)
    assert set(judged.nodes.values()) == {"PASS"} and set(judged.changed) == {"gpu001", "gpu002"}
    assert "changed since" not in terminal.render(judged)


def test_only_what_is_accepted_and_beyond_doubt_is_remembered(tmp_path):
    document = edited(cluster(2), "gpu002")
    remembered(copy.deepcopy(document), tmp_path)
    history.save(remembering(document, tmp_path), tmp_path)
    stored = history.accepted(tmp_path)
    assert stored["gpu002"]["observed"]["N-07"][CONF] == "0123456789abcdef 0644"
    broken = cluster(2)
    broken["hosts"]["gpu001"]["checks"]["N-08"]["observed"]["limit"] = 0
    del stored["gpu001"], stored["gpu002"]
    (tmp_path / "history" / "accepted.json").write_text(json.dumps(stored))
    history.save(remembering(broken, tmp_path), tmp_path)
    assert set(history.accepted(tmp_path)) == {"gpu002"}


def test_a_run_of_chosen_checks_accepts_nobody_and_takes_nothing_from_what_is_remembered(tmp_path):
    remembered(cluster(2), tmp_path)
    before = {path: path.read_text() for path in (tmp_path / "history").iterdir()}
    chosen = edited(cluster(2), "gpu001")
    chosen.update(checks=["N-07"], started=NOW + 3600, finished=NOW + 3620)
    chosen["settings"]["only"] = ["N-07"]
    judged = remembering(chosen, tmp_path)
    assert judged.accepted and set(judged.changed) == {"gpu001"}
    history.save(judged, tmp_path)
    assert {path: path.read_text() for path in (tmp_path / "history").iterdir()} == before


def test_a_damaged_memory_and_old_forms_change_no_verdict(tmp_path):
    document = cluster(2)
    plain = results.judged(copy.deepcopy(document)).verdicts
    (tmp_path / "history").mkdir()
    for text in (
        "{",
        "[]",
        '{"gpu001": 7, "gpu002": {"observed": {"N-07": 7, "N-30": [], "N-10": "x"}, "at": 1}}',
        '{"gpu001": {"observed": {"N-07": 7}, "at": "x"}}',
    ):
        (tmp_path / "history" / "accepted.json").write_text(text)
        assert remembering(copy.deepcopy(document), tmp_path).verdicts == plain


def test_what_a_check_says_of_a_node_alone_is_no_change(tmp_path):
    document = cluster(3)
    document["hosts"]["gpu001"]["checks"]["N-10"]["observed"]["ENROOT_DATA_PATH"]["options"] = "rw,noexec"
    judged = remembered(document, tmp_path)
    assert judged.nodes["gpu001"] == FAIL and judged.changed == {}


def test_every_check_that_compares_is_remembered_or_changes_by_itself():
    comparing = {check for check, entry in catalogue.load().items() if "compare(" in entry.source}
    # These hold answers of the moment as well: homes, ports, reboots, registries, daemons, seconds. N-32 needs no past.
    assert comparing - set(changes.COMPARED) == {
        "A-06", "C-10", "C-20", "D-01", "H-09", "H-14", "N-04", "N-21", "N-27", "N-32",
    }  # fmt: skip
    assert set(changes.COMPARED) <= comparing
    # A run of any tier has all of them, so that it loses nothing that an earlier one of a higher tier remembered.
    assert set(changes.COMPARED) <= set(catalogue.chosen("quick"))
