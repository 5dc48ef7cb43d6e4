"""Enroot is whole on every node, and an ordinary user can start it."""

import pytest


@pytest.mark.parametrize("name", ["enroot", "enroot+caps"])
def test_a_package(host, name):
    assert host.package(name).is_installed


def test_an_ordinary_user_can_start_it(host):
    result = host.run("runuser -u member -- env HOME=/home/member enroot list")
    assert result.rc == 0, result.stderr


def test_users_can_import_images(host):
    assert "cap_sys_admin" in host.run("getcap /usr/bin/enroot-mksquashovlfs").stdout
    assert "cap_mknod" in host.run("getcap /usr/bin/enroot-aufs2ovlfs").stdout


@pytest.mark.parametrize("name", ["data", "cache", "tmp"])
def test_a_directory_of_all_users(host, name):
    directory = host.file("/scratch/slipway/enroot/" + name)
    assert (directory.user, directory.mode) == ("root", 0o1777)
