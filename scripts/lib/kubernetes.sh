# Shell functions that bring a real Kubernetes control plane: built from Go modules, started on loopback, ended by pid.
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after common.sh. Binaries stay in the cache; everything that runs lies in the folder that the caller names.

kubernetes_version=1.36.3
etcd_version=3.6.16
kubernetes_bin=$cache_root/kubernetes-$kubernetes_version

# build_kubernetes NAME...: the commands of k8s.io/kubernetes that the cache does not have yet.
build_kubernetes() {
  local name missing=() work modules staging=v0.${kubernetes_version#1.}
  for name in "$@"; do
    [ -x "$kubernetes_bin/$name" ] || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  need_go
  step "building ${missing[*]} $kubernetes_version (minutes when the Go cache is cold)"
  mkdir -p "$kubernetes_bin"
  work=$(mktemp -d)
  (
    cd "$work"
    quietly go mod download "k8s.io/kubernetes@v$kubernetes_version"
    modules=$(go env GOMODCACHE)/k8s.io/kubernetes@v$kubernetes_version
    # Its own go.mod replaces the staging modules by folders, which a dependant does not have.
    {
      printf 'module kubernetes\ngo 1.26.0\ngodebug default=go1.26\nrequire k8s.io/kubernetes v%s\nreplace (\n' "$kubernetes_version"
      sed -n '/^replace (/,/^)/p' "$modules/go.mod" | awk -v v="$staging" '/staging/ { print "\t" $1 " => " $1 " " v }'
      echo ')'
    } >go.mod
    quietly go get "${missing[@]/#/k8s.io/kubernetes/cmd/}" 2>/dev/null ||
      for name in "${missing[@]}"; do quietly go get "k8s.io/kubernetes/cmd/$name@v$kubernetes_version"; done
    for name in "${missing[@]}"; do
      nice -n 10 go build -mod=mod -p 1 -trimpath -o "$kubernetes_bin/$name.new" \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$kubernetes_version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36" \
        "k8s.io/kubernetes/cmd/$name" && mv "$kubernetes_bin/$name.new" "$kubernetes_bin/$name"
    done
  ) >&2 || fail "cannot build ${missing[*]}"
  rm -rf "$work"
}

# build_etcd: etcd, as build_kubernetes.
build_etcd() {
  [ -x "$kubernetes_bin/etcd" ] && return 0
  need_go
  step "building etcd $etcd_version"
  mkdir -p "$kubernetes_bin"
  local work
  work=$(mktemp -d)
  (
    cd "$work"
    quietly go mod init etcd
    quietly go get "go.etcd.io/etcd/server/v3@v$etcd_version"
    nice -n 10 go build -p 1 -trimpath -ldflags '-s -w' -o "$kubernetes_bin/etcd.new" go.etcd.io/etcd/server/v3 &&
      mv "$kubernetes_bin/etcd.new" "$kubernetes_bin/etcd"
  ) >&2 || fail "cannot build etcd"
  rm -rf "$work"
}
