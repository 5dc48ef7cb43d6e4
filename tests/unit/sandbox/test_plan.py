from pathlib import Path

import pytest
from cluster import plan
from cluster.errors import SandboxError
from cluster.settings import from_environment


def settings(**environment):
    return from_environment(environment, Path("/repo"))


def container(node, state="running", distribution="trixie"):
    role = plan.node_roles(32)[node]
    labels = {"node": node, "role": role, "address": "10.0.0.1", "distribution": distribution}
    return {
        "Id": f"id-{node}",
        "State": state,
        "Labels": {f"slipway.sandbox.{key}": value for key, value in labels.items()},
    }


def test_from_nothing_the_defaults_are_planned():
    made = plan.make(settings(), [])
    assert list(made.roles) == ["head", "login1", "compute1", "compute2", "compute3"]
    assert (made.distribution, made.missing, made.stopped) == ("trixie", list(made.roles), [])


def test_what_runs_decides_where_nothing_is_asked_for():
    found = plan.survey([container(name, distribution="bookworm") for name in ("head", "compute1", "compute2")])
    made = plan.make(settings(), found)
    assert (made.distribution, made.compute, made.missing) == ("bookworm", 2, ["login1"])


def test_stopped_nodes_are_started_and_running_ones_left_alone():
    found = plan.survey([container("head"), container("login1", "exited"), container("compute1")])
    made = plan.make(settings(SANDBOX_COMPUTE="3"), found)
    assert made.stopped == ["login1"]
    assert made.missing == ["compute2", "compute3"]


def test_a_container_that_never_started_is_known():
    created, stopped = plan.survey([container("head", "created"), container("login1", "exited")])
    assert (created.broken, stopped.broken) == (True, False)


def test_fewer_nodes_than_run_is_refused_with_what_to_do():
    found = plan.survey([container("compute1"), container("compute2")])
    with pytest.raises(SandboxError, match=r"2 compute nodes.*SANDBOX_COMPUTE=1: run `make sandbox-down`"):
        plan.make(settings(SANDBOX_COMPUTE="1"), found)


def test_another_distribution_than_runs_is_refused_with_what_to_do():
    with pytest.raises(SandboxError, match=r"runs trixie, not bookworm: run `make sandbox-down`"):
        plan.make(settings(SANDBOX_DISTRIBUTION="bookworm"), plan.survey([container("head")]))


def test_every_node_keeps_its_place_in_the_network():
    few = plan.addresses("10.89.4.0/24", plan.node_roles(1))
    many = plan.addresses("10.89.4.0/24", plan.node_roles(32))
    assert few == {"head": "10.89.4.2", "login1": "10.89.4.3", "compute1": "10.89.4.11"}
    assert few.items() <= many.items()
    assert len(set(many.values())) == 34


def test_no_node_is_named_like_a_group():
    assert not {"controller", "login", "compute"} & set(plan.node_roles(2))
