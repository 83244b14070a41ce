# Shell functions that build and run containers with buildah, podman and runc in a storage of their own: nothing of the machine's
# configuration is read or changed, and nothing is left behind.
# shellcheck shell=bash disable=SC2154
# Sourced by bash scripts, never run. Expects scripts/lib/common.sh, root, and $work, an empty folder.

# prepare_containers: the packages, and the settings that machines without systemd or without all rights need.
prepare_containers() {
  need_packages buildah podman runc conmon iproute2 ca-certificates python3
  mkdir -p "$work/storage" "$work/run" "$work/tmp" "$work/networks" "$work/probe/"{a,b,c,d}
  cat >"$work/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
  export CONTAINERS_CONF=$work/containers.conf TMPDIR=$work/tmp DISABLE_HC_SYSTEMD=true
  storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
  if mount -t overlay -o "lowerdir=$work/probe/a,upperdir=$work/probe/b,workdir=$work/probe/c" probe "$work/probe/d" 2>/dev/null; then
    umount "$work/probe/d"
    storage[5]=overlay
  fi
}

in_buildah() { buildah "${storage[@]}" "$@"; }

in_podman() { podman "${storage[@]}" --tmpdir "$work/tmp/podman" --network-config-dir "$work/networks" "$@"; }

# end_containers: ends what runs, and takes every mount below $work away.
end_containers() {
  local place
  in_podman rm -f -t 0 -a >/dev/null 2>&1 || true
  in_buildah rm -a >/dev/null 2>&1 || true
  for place in $(awk -v at="$work/" 'index($2, at) == 1 { print $2 }' /proc/self/mounts | sort -r); do
    umount -l "$place" 2>/dev/null || true
  done
}

# base_image SUITE NAME: a bare root of that suite as the image that FROM lines call NAME. The root is kept for a week.
base_image() {
  local tar=$cache_root/bare/$1.tar
  mkdir -p "$work/base" "$(dirname "$tar")"
  if [ -z "$(find "$tar" -mtime -7 2>/dev/null)" ]; then
    bare_root "$1" "$work/base/root"
    rm -f "$work/base/root/var/cache/apt/archives/"*.deb
    tar -C "$work/base/root" -cf "$tar.$$" . && mv "$tar.$$" "$tar"
    rm -rf --one-file-system "$work/base/root"
  fi
  ln "$tar" "$work/base/base.tar" 2>/dev/null || cp "$tar" "$work/base/base.tar"
  printf 'FROM scratch\nADD base.tar /\nCMD ["bash"]\n' >"$work/base/Dockerfile"
  quietly in_buildah bud --isolation chroot -t "$2" "$work/base" || fail "cannot make the base image"
  rm "$work/base/base.tar"
}

# build_image NAME CONTEXT [OPTION...]: with a fixed time, and only from images that are here.
build_image() {
  local name=$1 context=$2
  shift 2
  quietly in_buildah bud --isolation chroot --pull-never --format docker --timestamp "$built_at" \
    --build-arg SOURCE_DATE_EPOCH="$built_at" -t "$name" "$@" "$context" || fail "$name does not build"
}

# image_root NAME: mounts an image and prints where.
image_root() { in_buildah mount "$(in_buildah from --pull-never "$1")"; }

# image_says NAME FORMAT: of its configuration, as a Go template.
image_says() { in_podman image inspect --format "$2" "$1"; }

# layers NAME: the digests of what it consists of.
layers() { image_says "$1" '{{range .RootFS.Layers}}{{println .}}{{end}}'; }
