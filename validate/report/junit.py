"""JUnit: a test case for every host and check, with node and check in the message, because readers show only that."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from validate.model import ACCEPTED, BLOCKED, FAIL, SKIP
from validate.results import Judged

# What XML 1.0 does not allow at all.
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(judged: Judged) -> str:
    """Return the document; what was not measured is an error, and what another check blocks is skipped."""
    cases, failures, errors, skips = [], 0, 0, 0
    for verdict in judged.verdicts:
        name = f'classname={quote(verdict.node)} name={quote(verdict.check)} time="{verdict.seconds or 0:.3f}"'
        said = f"{verdict.node} {verdict.check} {verdict.status}: {verdict.observed}"
        if verdict.status in ACCEPTED - {SKIP}:
            cases.append(f"<testcase {name}/>")
            continue
        if verdict.status in (SKIP, BLOCKED):
            skips += 1
            text = f"blocked by {verdict.by}" if verdict.status == BLOCKED else verdict.observed
            cases.append(f"<testcase {name}><skipped message={quote(text)}/></testcase>")
            continue
        kind = "failure" if verdict.status == FAIL else "error"
        failures, errors = failures + (kind == "failure"), errors + (kind == "error")
        body = f"expected: {verdict.expected}\nlikely: {verdict.cause}\nfix: {verdict.fix}\nwho: {verdict.who}"
        cases.append(f"<testcase {name}><{kind} message={quote(said)}>{escape(clean(body))}</{kind}></testcase>")
    seconds = judged.document["finished"] - judged.document["started"]
    head = (
        f'<testsuite name="validate" tests="{len(judged.verdicts)}" failures="{failures}" errors="{errors}" '
        f'skipped="{skips}" time="{seconds:.1f}">'
    )
    return "\n".join(
        ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>", head, *cases, "</testsuite>", "</testsuites>", ""]
    )


def clean(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return ILLEGAL.sub("�", text)


def quote(text: str) -> str:
    """Return an attribute's value in its quotes."""
    return quoteattr(clean(text))
