#!/bin/bash
# Fetches Debian 13's OVMF (packages ovmf and ovmf-ia32) into .firmware/debian13, for the full form of
# packages/machine/test/boot-releases.test.ts. On Debian; apt's lists and cache are private, nothing is installed.
set -e
cd "$(dirname "$0")/.."
into=$PWD/.firmware/debian13
state=$PWD/.firmware/apt
mkdir -p "$into" "$state/lists/partial" "$state/cache/archives/partial"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$') ||
  { echo "fetch-firmware.sh: none of apt's sources is a Debian archive" >&2; exit 1; }
echo "deb [signed-by=$keys] $archive trixie main" > "$state/sources.list"
options=(
  -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State=$state" -o Dir::State::status=/dev/null -o "Dir::Cache=$state/cache"
  -o APT::Architectures::=amd64
)
apt-get "${options[@]}" -qq update
cd "$state"
rm -f ./*.deb
apt-get "${options[@]}" -qq download ovmf ovmf-ia32
for package in ./*.deb; do dpkg -x "$package" "$into"; done
find "$into" -name '*.fd' | sort
