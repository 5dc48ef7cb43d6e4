"""Nothing of the role is left."""


def test_no_file_is_left(host):
    assert not host.file("/etc/tmpfiles.d/slipway-storage.conf").exists


def test_no_data_is_left(host):
    assert not host.file("/scratch/slipway").exists
