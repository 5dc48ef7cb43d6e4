"""No credentials are on a node."""


def test_no_credentials(host):
    assert not host.file("/etc/slipway").exists
    assert not host.file("/etc/profile.d/slipway-registry.sh").exists
