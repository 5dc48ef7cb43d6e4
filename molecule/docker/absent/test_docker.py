"""Docker is gone, and so is what the role wrote."""


def test_nothing_runs(host):
    assert not host.exists("dockerd")
    assert not host.file("/run/docker.sock").exists


def test_no_configuration_is_left(host):
    assert not host.file("/etc/docker/daemon.json").exists
    assert not host.file("/etc/systemd/system/docker.service.d/slipway.conf").exists


def test_nobody_is_in_the_group(host):
    assert "docker" not in host.user("member").groups
