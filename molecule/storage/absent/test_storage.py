"""Nothing of the role is left."""


def test_no_file_is_left(host):
    assert not host.file("/usr/local/lib/slipway/tmpfiles.d").exists
    assert host.run("systemctl list-unit-files slipway-storage.service").stdout.count("slipway") == 0


def test_no_data_is_left(host):
    assert not host.file("/scratch/slipway").exists
