"""The sandbox's registry asks for no credentials, and so none are written."""


def test_no_credentials_without_any_declared(host):
    assert host.ansible.get_variables().get("registry_credentials", []) == []
    assert not host.file("/etc/slipway/registry").exists
