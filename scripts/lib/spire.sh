# Shell function shared by the commands in scripts/: SPIRE's server and agent, built from the module proxy.
# shellcheck shell=bash disable=SC2154
# Sourced by bash scripts after common.sh, never run.

spire_version=1.13.3
spire_bin=$cache_root/spire-$spire_version

# need_spire: builds the two binaries into the cache unless they are there, and prints their folder. About 8 minutes of CPU.
# In a copy of the module itself: only its own go.sum has all checksums.
need_spire() {
  if [ ! -x "$spire_bin/spire-server" ] || [ ! -x "$spire_bin/spire-agent" ]; then
    local work source
    need_go
    step "building SPIRE $spire_version"
    work=$(mktemp -d)
    source=$(cd "$work" && go mod download -json "github.com/spiffe/spire@v$spire_version" |
      sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [ -n "$source" ] || fail "cannot bring SPIRE $spire_version"
    cp -r "$source" "$work/spire"
    chmod -R u+w "$work/spire"
    mkdir -p "$spire_bin"
    quietly go -C "$work/spire" build -o "$spire_bin/" ./cmd/spire-agent ./cmd/spire-server ||
      fail "SPIRE does not build"
    rm -rf "$work"
  fi
  printf '%s\n' "$spire_bin"
}
