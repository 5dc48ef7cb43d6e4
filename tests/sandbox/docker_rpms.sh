#!/usr/bin/env bash
# On a node under the name of Rocky: makes DIRECTORY/centos/9/x86_64/stable a repository as Docker's own, of Debian's
# Docker packed as RPMs and signed; the public key is DIRECTORY/key.asc, and DIRECTORY/other.asc another one.
# docker-ce and its rootless extras need each other, as up to Docker 24, and there is a newer docker-ce, which is empty.
set -euo pipefail
directory=$1
repository=$directory/centos/9/x86_64/stable
work=$(mktemp -d)
export GNUPGHOME=$work/keys
mkdir -m 700 "$GNUPGHOME"
mkdir -p "$repository"

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get -qq update
apt-get -qq -y --no-install-recommends install docker.io gpg gpg-agent >/dev/null
version=$(docker --version | grep -o '[0-9][0-9.]*' | head -n 1)

# move PACKAGE OF-DEBIAN…: what these hold, below the directory from which the package is made.
move() {
    mkdir -p "$work/$1"
    dpkg -L "${@:2}" | grep -v '^/usr/share/' | while read -r path; do
        [ -d "$path" ] || echo "$path"
    done | tar --create --directory / --absolute-names --files-from - | tar --extract --directory "$work/$1"
    # Where both are one directory, the package names the real one.
    if [ -d "$work/$1/lib" ]; then
        mkdir -p "$work/$1/usr"
        cp -a "$work/$1/lib" "$work/$1/usr"
        rm -r "${work:?}/$1/lib"
    fi
}
move docker-ce docker.io
move containerd.io containerd runc
mkdir -p "$work/docker-ce-cli/usr/bin"
mv "$work/docker-ce/usr/bin/docker" "$work/docker-ce-cli/usr/bin"
rm -rf "$work/docker-ce/etc/init.d"
dpkg --purge docker.io containerd runc >/dev/null
getent group docker >/dev/null && groupdel docker
rm -rf /usr/sbin/policy-rc.d /etc/docker /etc/containerd /var/lib/docker /var/lib/containerd

# package NAME VERSION HEADER
package() {
    mkdir -p "$work/$1"
    {
        printf 'Name: %s\nVersion: %s\nRelease: 1.el9\nLicense: none\n' "$1" "$2"
        printf 'Summary: STAND-IN for %s (Slipway test equipment)\nAutoReqProv: no\n%s\n' "$1" "$3"
        printf '%%description\nDebian packages, packed again.\n%%install\ncp -a %s/. %%{buildroot}\n' "$work/$1"
        [ "$1" != docker-ce ] || printf '%%post\ngetent group docker >/dev/null || groupadd --system docker\n'
        echo '%files'
        (cd "$work/$1" && find . ! -type d -printf '/%P\n')
    } >"$work/$1.spec"
    rpmbuild -bb --quiet --define '_binary_payload w1.gzdio' --define "_rpmdir $repository" \
        --define "_topdir $work/build" --define '_build_id_links none' --define '__os_install_post %{nil}' \
        "$work/$1.spec"
}
package docker-ce "$version" $'Epoch: 3\nRequires: docker-ce-cli containerd.io docker-ce-rootless-extras'
package docker-ce-cli "$version" 'Epoch: 1'
package docker-ce-rootless-extras "$version" 'Requires: docker-ce'
package docker-buildx-plugin 0.30.1 ''
package containerd.io 1.7.0 $'Obsoletes: runc containerd\nConflicts: runc containerd'
rm -r "$work/docker-ce"
package docker-ce 99.0 'Epoch: 3'

for name in key other; do
    gpg --batch --quiet --passphrase '' --quick-generate-key "$name.test@slipway" rsa3072 sign never
    gpg --armor --export "$name.test@slipway" >"$directory/$name.asc"
done
rpmsign --define "__gpg $(command -v gpg)" --define '_gpg_name key.test@slipway' --addsign "$repository"/*/*.rpm >/dev/null
gpgconf --kill gpg-agent
createrepo_c --quiet "$repository"
rm -rf "$work"
echo "$version"
