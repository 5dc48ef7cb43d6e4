"""Apptainer is there, with its caches on the node's storage and ranges of ids for those who build."""

import pytest


def test_the_program(host):
    assert host.run("runuser -u guest -- apptainer --version").rc == 0


@pytest.mark.parametrize("name", ["cache", "tmp"])
def test_a_directory_for_all(host, name):
    assert host.file(f"/scratch/slipway/apptainer/{name}").mode == 0o1777


@pytest.mark.parametrize("file", ["/etc/subuid", "/etc/subgid"])
def test_ranges_of_ids(host, file):
    assert host.file(file).contains("^member:")
