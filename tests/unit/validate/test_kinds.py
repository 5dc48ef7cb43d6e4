"""Kinds of nodes: found from hardware, added to by a site, and floors from what a site's nodes reached."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from tests.faults import good_results
from tests.unit.validate.conftest import cluster, node
from validate import baseline, kinds, results, settings
from validate.errors import CannotStart
from validate.model import FAIL


def test_an_unknown_kind_is_refused_with_those_that_exist():
    with pytest.raises(CannotStart, match="no profile for 'h800'; there are amd, cpu"):
        kinds.require("h800", kinds.load())


@pytest.mark.parametrize(
    ("hardware", "names", "gpus", "kind"),
    [
        ({"nvidia": 8}, "0, GPU-1, NVIDIA H100 80GB HBM3", 8, "nvidia_h100"),
        ({"nvidia": 8}, "0, GPU-1, NVIDIA H200", 8, "nvidia_h200"),
        ({"nvidia": 1}, "0, GPU-1, Tesla T4", 1, "nvidia"),
        ({"amd": 8}, "", 8, "amd"),
        ({"neuron": 16}, "", 0, "neuron"),
        ({}, "", 8, "nvidia"),
        ({}, "", 0, "cpu"),
    ],
)
def test_the_kind_is_found_from_the_hardware(hardware, names, gpus, kind):
    host = {"steps": {"host": {"hello": {"hardware": hardware}}}, "checks": {"N-04": {"observed": {"stdout": names}}}}
    assert kinds.of(node("n1", gpus=gpus), host, kinds.load(), {"kind": ""}).kind == kind


def test_a_site_that_means_mig_declares_a_kind_that_is_accepted():
    document = good_results.nvidia()
    document["roster"] = [{**entry, "gpus": 7 * entry["gpus"]} for entry in document["roster"]]
    for name in ("gpu001", "gpu002"):
        record = document["hosts"][name]["checks"]["C-02"]
        record["observed"] = {**record["observed"], "uuids": ["MIG-63feeb45-94c6-5b9d-a0f1-3c4a7d1f6c11"]}
    assert results.judged(document).nodes["gpu001"] == FAIL
    mig = {"mig": {"has": ["gpus"], "skip": {"N-03": "Slurm counts parts of GPUs"}}}
    document["profiles"] = {kind: kinds.record(profile) for kind, profile in kinds.load(mig).items()}
    document["settings"]["kind"] = "mig"
    assert results.judged(document).exit_code == 0


def test_h200_cards_without_nvswitch_have_no_floor_of_those_with_it():
    hello = {"hello": {"hardware": {"nvidia": 2}}}
    host = {"steps": {"host": hello}, "checks": {"N-04": {"observed": {"stdout": "0, GPU-1, NVIDIA H200 NVL"}}}}
    assert kinds.of(node("n1", gpus=2), host, kinds.load(), {"kind": ""}).kind == "nvidia"


# What a site says


def test_a_site_replaces_what_it_names_and_keeps_the_rest():
    given = {"nvidia_h200": {"expect": {"nccl_busbw": 470}, "skip": {"N-18": "kernel log is closed"}}}
    ours, site = kinds.load()["nvidia_h200"], kinds.load(given)["nvidia_h200"]
    assert site.expect == {**ours.expect, "nccl_busbw": 470}
    assert site == replace(ours, expect=site.expect, skip={"N-18": "kernel log is closed"})
    assert kinds.load() == kinds.load({})


def test_a_kind_of_the_sites_own_counts_before_ours():
    given = {"cut_h200": {"has": ["gpus", "gpu_devices", "nvidia"], "gpus": 4, "match": "NVIDIA H200"}}
    hello = {"hello": {"hardware": {"nvidia": 4}}}
    host = {"steps": {"host": hello}, "checks": {"N-04": {"observed": {"stdout": "0, GPU-1, NVIDIA H200"}}}}
    assert kinds.of(node("n1", gpus=4), host, kinds.load(given), {"kind": ""}).kind == "cut_h200"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("fast", "validate_profiles: 'fast' is not a mapping by kind"),
        ({"H 200": {}}, "'H 200' is no name of a kind"),
        ({"h200": [1]}, r"h200: \[1\] is no mapping of description, has"),
        ({"h200": {"floor": {}}}, "h200: unknown floor; known are"),
        ({"h200": {"gpus": "8"}}, "h200: gpus: '8' is not a whole number"),
        ({"h200": {"gpus": True}}, "h200: gpus: True is not a whole number"),
        ({"h200": {"has": ["nvlink"]}}, "h200: has: unknown nvlink; known are gpus"),
        ({"h200": {"match": "H200("}}, "h200: match: 'H200\\(' is no regular expression"),
        ({"h200": {"expect": {"nccl_busbwn": 1}}}, "h200: expect: unknown nccl_busbwn; known are"),
        ({"h200": {"expect": {"nccl_busbw": "fast"}}}, "h200: expect: nccl_busbw: 'fast' is not a number"),
        ({"h200": {"expect": {"memory_lock": "all"}}}, "memory_lock: 'all' is neither any nor unlimited"),
        ({"h200": {"skip": {"N-99": "why"}}}, "h200: skip: no check has the id N-99"),
        ({"h200": {"skip": {"N-18": None}}}, "h200: skip: N-18: None is not a text"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_in_words(given, said):
    with pytest.raises(CannotStart, match=said):
        settings.make({"profiles": given})


def test_a_sites_profiles_travel_with_the_results():
    chosen = settings.make({"profiles": {"cpu": {"expect": {"space_gib": 5}}}})
    document = results.document("x", 0.0, chosen, [], {}, [], {}, [])
    assert document["profiles"]["cpu"]["expect"] == {"space_gib": 5}


# Floors from what was reached


def measured() -> dict:
    document = cluster(9)
    for number, host in enumerate(content for name, content in document["hosts"].items() if name != "login1"):
        host["checks"]["P-01"] = {"step": "nested", "observed": {"tflops": [650.0 + number] * 8}}
    return document


def test_floors_are_what_accepted_nodes_reached_less_a_twentieth():
    document = measured()
    # A node that is not accepted says nothing.
    document["hosts"]["gpu009"]["checks"]["N-08"]["observed"]["limit"] = 0
    document["hosts"]["gpu009"]["checks"]["P-01"]["observed"]["tflops"] = [1.0]
    text = baseline.render([results.judged(document)])
    assert text.startswith("# 95% of the median of accepted nodes (simulated 8) on 2027-01-15\n")
    found = yaml.safe_load(text)["validate_profiles"]
    assert found["simulated"]["expect"]["gemm_tflops"] == 620.0
    assert settings.make({"profiles": found}).profiles == found


def test_a_floor_is_never_above_what_it_was_made_of():
    for value in (0.0123456, 1.0, 437.77, 98765.4):
        assert 0.94 * value < baseline.below([value]) <= 0.95 * value


def test_without_any_rate_there_is_no_baseline():
    with pytest.raises(CannotStart, match="no accepted node measured a rate: the standard tier does"):
        baseline.render([results.judged({**cluster(3), "hosts": {}})])
