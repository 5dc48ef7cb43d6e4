"""The filter acceptance_words: what the suite is told of a play."""

from __future__ import annotations

import json

import pytest
from ansible_collections.slipway.containers.plugins.filter.acceptance_words import OWN, PREFIX, acceptance_words

from validate.settings import OF_THE_PLAYBOOK

GROUPS = {"all": ["n1", "n2", "l1", "head"], "compute": ["n1", "n2"], "login": ["l1"], "controller": ["head"]}
VARIABLES = {
    **{name: {"validate_tier": "of a node"} for name in ("n1", "n2")},
    "l1": {"validate_tier": "deep", "validate_drain": "yes", "validate_resume": False, "ansible_user": "root"},
    "head": {"validate_tier": "standard"},
}


@pytest.mark.parametrize(
    ("hosts", "limit"),
    [
        (["l1", "n2", "n1"], []),
        (["n2"], ["--limit", "n2"]),
        (["n2", "head"], ["--limit", "n2"]),
        (["head"], ["--limit", ""]),
    ],
)
def test_the_nodes_of_the_play_are_the_limit(hosts, limit):
    assert acceptance_words(GROUPS, VARIABLES, hosts) == ["--variables", '{"validate_tier": "deep"}', *limit, "--drain"]


@pytest.mark.parametrize(("group", "tier"), [("login", "standard"), ("controller", "of a node")])
def test_the_settings_are_those_of_the_host_that_submits(group, tier):
    groups = {name: hosts for name, hosts in GROUPS.items() if name not in ("login", group)}
    assert json.loads(acceptance_words(groups, VARIABLES, ["n1", "n2"])[1]) == {"validate_tier": tier}


def test_suite_and_playbook_agree_on_what_is_no_setting():
    assert [PREFIX + name for name in OF_THE_PLAYBOOK] == list(OWN)
