#!/usr/bin/env bash
# install.sh DIR: the fuzzing client of the Autobahn WebSocket test suite, in a folder of its own.
#
# The suite needs Python 2.7. Its interpreter is unpacked from the packages of Debian 11, which still has it, without being
# installed; the suite and what it stands on come from PyPI, at the last versions that speak Python 2. Asks for apt-get, dpkg,
# pip and gcc. Afterwards DIR/wstest runs the suite.
set -euo pipefail

target=$(mkdir -p "$1" && cd "$1" && pwd)
[ -x "$target/wstest" ] && "$target/wstest" --help >/dev/null 2>&1 && exit 0

release=bullseye
interpreter=(python2.7 python2.7-minimal libpython2.7 libpython2.7-minimal libpython2.7-stdlib libpython2.7-dev libffi7 libssl1.1)
installers=(pip==20.3.4 setuptools==44.1.1 wheel==0.37.1)
requirements=(Twisted==20.3.0 autobahn==0.10.9 txaio==2.1.0 klein==20.6.0 cryptography==3.3.2
              'Werkzeug<1' 'Jinja2<3' 'MarkupSafe<2' 'pyopenssl<22' 'service-identity<21' six unittest2)

# The mirror that this machine already uses, with the older release beside it, in lists of its own.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m 1 -oE 'https?://[^ ]+/debian/?( |$)' | tr -d ' ' || true)
[ -n "$mirror" ] || { echo "install.sh: no Debian mirror in the apt sources" >&2; exit 1; }
apt_root="$target/apt"
mkdir -p "$apt_root/lists/partial" "$apt_root/cache/archives/partial" "$target/debs" "$target/python" "$target/wheels" "$target/site"
echo "deb $mirror $release main" >"$apt_root/sources.list"
apt=(apt-get -qq -o "Dir::Etc::SourceList=$apt_root/sources.list" -o Dir::Etc::SourceParts=/dev/null
     -o "Dir::State::Lists=$apt_root/lists" -o "Dir::Cache=$apt_root/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$target/debs" && "${apt[@]}" download "${interpreter[@]}")
for package in "$target"/debs/*.deb; do dpkg -x "$package" "$target/python"; done

site="$target/site/lib/python2.7/site-packages"
headers=$(find "$target/python/usr/include" -type d -name python2.7 -printf '%p:')$target/python/usr/include
cat >"$target/python2" <<SCRIPT
#!/usr/bin/env bash
exec env LD_LIBRARY_PATH="$target/python/usr/lib/$(gcc -print-multiarch)" PYTHONHOME="$target/python/usr" PYTHONPATH="$site" \\
  C_INCLUDE_PATH="$headers" PYTHONWARNINGS=ignore "$target/python/usr/bin/python2.7" "\$@"
SCRIPT
chmod +x "$target/python2"

"${PYTHON:-python3}" -m pip download -q --no-deps -d "$target/wheels" "${installers[@]}"
"$target/python2" "$(ls "$target"/wheels/pip-*.whl)/pip" install -q --no-index --find-links "$target/wheels" \
  --prefix "$target/site" pip setuptools wheel
pip=("$target/python2" -m pip install -q --no-warn-script-location --prefix "$target/site")
"${pip[@]}" "${requirements[@]}"
"${pip[@]}" --no-deps autobahntestsuite==0.8.2
# A namespace package whose .pth file is not read from PYTHONPATH.
touch "$site/zope/__init__.py"

cat >"$target/wstest" <<SCRIPT
#!/usr/bin/env bash
exec "$target/python2" -c 'import sys; sys.argv[0] = "wstest"; from autobahntestsuite.wstest import run; run()' "\$@"
SCRIPT
chmod +x "$target/wstest"
"$target/wstest" --help >/dev/null
