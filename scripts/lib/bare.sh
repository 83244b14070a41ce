# Shell functions that make a bare Debian root with debootstrap, from the mirror that this machine's apt uses.
# shellcheck shell=bash
# Sourced by bash scripts, never run. Expects scripts/lib/common.sh and root.

# bare_root SUITE FOLDER: a minimal Debian in FOLDER, which trusts the authorities that this machine trusts.
bare_root() {
  local mirror own=usr/local/share/ca-certificates
  need_packages debootstrap
  step "making a bare $1 root"
  mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 | tr -d ' ' || true)
  quietly debootstrap --variant=minbase "$1" "$2" ${mirror:+"$mirror"} || fail "debootstrap failed"
  [ ! -d "/$own" ] || { mkdir -p "$2/$own" && cp -r "/$own/." "$2/$own/"; }
}
