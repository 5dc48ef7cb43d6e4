"""What the benchmark makes of a run's results: launches, slowest probes, and what is left."""

from __future__ import annotations

from typing import Any

from bench import acceptance, side_by_side, usage


def host(job: int | None, steps: dict[str, tuple[float, float, float]]) -> dict[str, Any]:
    """A host whose steps were started, greeted and last heard of at these moments."""
    return {
        "job": job,
        "steps": {
            name: {"hello": {"began": began}, "received": greeted} for name, (began, greeted, _last) in steps.items()
        },
        "checks": {name: {"step": name, "received": last} for name, (_began, _greeted, last) in steps.items()},
    }


def test_steps_follow_each_other_and_the_slowest_node_counts() -> None:
    hosts = {
        "n1": host(7, {"host": (100, 101, 103), "container": (110, 112, 113)}),
        "n2": host(7, {"host": (100, 102, 107), "container": (110, 115, 116)}),
    }
    assert acceptance.share({"hosts": hosts}) == acceptance.Share(launch=2 + 5, probes=5 + 1)


def test_allocations_run_side_by_side_and_the_submit_host_afterwards() -> None:
    hosts = {
        "n1": host(7, {"host": (100, 101, 103)}),
        "n2": host(8, {"host": (100, 104, 109)}),
        "login1": host(None, {"submit": (0.0, 120, 123)}),
    }
    assert acceptance.share({"hosts": hosts}) == acceptance.Share(launch=4, probes=5 + 3)


def test_containers_that_end_late_are_told_apart() -> None:
    hosts = {"n1": host(7, {"container": (110, 112, 113), "after": (120, 121, 122), "host": (100, 101, 103)})}
    assert acceptance.share({"hosts": hosts}) == acceptance.Share(launch=1 + 2 + 1, probes=2 + 1 + 1, ends=120 - 113)


def test_a_node_that_took_no_part_in_a_step_does_not_count() -> None:
    hosts = {"n1": host(7, {"host": (100, 101, 103)}), "n2": {"job": 7, "steps": {"sample": {}}, "checks": {}}}
    assert acceptance.share({"hosts": hosts}) == acceptance.Share(launch=1, probes=2)


def sample(wall: float) -> acceptance.Sample:
    return acceptance.Sample(usage.Usage(wall, 3.0, 64.0), acceptance.Share(20.0, 30.0, 4.0), 1.5)


def test_the_overhead_is_what_is_left_and_stands_beside_srun_hostname() -> None:
    text = acceptance.table(32, [sample(58.0), sample(70.0), sample(56.0)], [usage.Usage(1.5, 0.1, 2.0)])
    assert "  overhead                                6.0      8.0     20.0" in text
    assert "    of that, containers' ends             4.0      4.0      4.0" in text
    assert "srun -N32 hostname                        1.5      1.5      1.5" in text
    assert "overhead 8.0 s: within the goal of 10 s" in text
    assert "CPU of quick tier, 32 nodes: control node 3.0 s (0.09 s a host), nodes 64.0 s, of these the submit" in text
    assert "above the goal of 10 s" in acceptance.table(32, [sample(61.0)], [usage.Usage(1.5, 0.1, 2.0)])


def test_testinfra_stands_beside_the_probe() -> None:
    pair = side_by_side.Pair(8, 50, usage.Usage(5.0, 1.0, 8.0), usage.Usage(40.0, 30.0, 12.0))
    text = pair.table()
    assert "testinfra takes 8.0 times as long, 100 ms a command" in text
    assert "CPU of testinfra, 8 nodes x 50: control node 30.0 s (3.75 s a host), nodes 12.0 s" in text
