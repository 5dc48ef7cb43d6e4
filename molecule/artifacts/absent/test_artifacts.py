"""The place for copies is gone as well."""


def test_no_place_is_left(host):
    assert not host.file("/var/cache/slipway").exists
