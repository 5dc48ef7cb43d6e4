"""Which combinations of versions a site's hosts want."""

from __future__ import annotations

from ansible_collections.slipway.containers.plugins.filter.version_sets import version_sets


def test_hosts_that_want_the_same_are_one() -> None:
    hosts = [{"enroot_version": "4.1.2", "x": 1}, {"enroot_version": "4.1.2"}]
    assert version_sets(hosts, ["enroot", "pyxis"]) == [{"enroot_version": "4.1.2"}]


def test_a_host_with_a_version_of_its_own_is_another() -> None:
    hosts = [{}, {"enroot_version": "4.0.1"}, {"pyxis_version": "0.21.0"}, {"storage_version": "9"}]
    expected = [{}, {"enroot_version": "4.0.1"}, {"pyxis_version": "0.21.0"}]
    assert version_sets(hosts, ["enroot", "pyxis"]) == expected


def test_a_number_is_the_text_that_it_becomes() -> None:
    assert version_sets([{"enroot_version": 5}], ["enroot"]) == [{"enroot_version": "5"}]


def test_without_hosts_the_defaults_count() -> None:
    assert version_sets([], ["enroot"]) == [{}]
