# Shell functions that make a bare Debian root with debootstrap, from the mirror that this machine's apt uses.
# shellcheck shell=bash
# Sourced by bash scripts, never run. Expects scripts/lib/common.sh and root.

# apt_source NAME: the address of an archive that this machine's apt uses: debian or debian-security; nothing where it does not.
apt_source() {
  grep -rhoE "https?://[^ ]+/$1/?( |\$)" /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 | tr -d ' ' || true
}

# bare_root SUITE FOLDER: a minimal Debian in FOLDER, with the security updates among its sources, which trusts the authorities
# that this machine trusts.
bare_root() {
  local mirror security own=usr/local/share/ca-certificates
  need_packages debootstrap
  step "making a bare $1 root"
  mirror=$(apt_source debian) security=$(apt_source debian-security)
  quietly debootstrap --variant=minbase "$1" "$2" ${mirror:+"$mirror"} || fail "debootstrap failed"
  echo "deb ${security:-http://deb.debian.org/debian-security} $1-security main" >>"$2/etc/apt/sources.list"
  [ ! -d "/$own" ] || { mkdir -p "$2/$own" && cp -r "/$own/." "$2/$own/"; }
}
