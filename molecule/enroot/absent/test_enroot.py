"""Packages and settings are gone."""

import pytest


@pytest.mark.parametrize("name", ["enroot", "enroot+caps"])
def test_no_package(host, name):
    assert not host.package(name).is_installed


def test_no_settings_are_left(host):
    assert not host.file("/etc/enroot/enroot.conf").exists
    assert not host.file("/usr/local/lib/slipway/tmpfiles.d/enroot.conf").exists
