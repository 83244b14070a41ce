# Shell functions that make this machine a node of the control plane of kubernetes.sh: images without a registry,
# containerd, runc, a bridge for pods, and a kubelet.
# shellcheck shell=bash disable=SC2154
# Sourced after kubernetes.sh. Everything but make_node_images and the cgroup functions runs within in_namespaces.

node_name=node
node_address=10.79.0.1
node_pods=10.78.0.0/16

# image_root FOLDER FILE...: copies files there, each PATH to the same place or PATH=PLACE.
image_root() {
  local root=$1 file
  shift
  for file in "$@"; do install -D "${file%%=*}" "$root${file##*=}"; done
}

# make_node_images FOLDER OUTRIGGER: FOLDER/images/*.tar: the proxy with the libraries that it loads, as the Dockerfile makes
# it; the programs of the examples, which also stay in FOLDER/bin; and what holds a pod's namespaces.
make_node_images() {
  local folder=$1 outrigger=$2 root name place pack=$repo_root/scripts/lib/archive_image.py
  mkdir -p "$folder/images" "$folder/bin"
  root=$(mktemp -d "$folder/root.XXXX")
  # shellcheck disable=SC2046
  image_root "$root" "$outrigger=/usr/bin/outrigger" $(ldd "$outrigger" | grep -o '/[^ ]*') /etc/ssl/certs/ca-certificates.crt
  strip "$root/usr/bin/outrigger"
  python3 "$pack" "docker.io/library/outrigger:0.1.0" "$root" "$folder/images/outrigger.tar" --entrypoint /usr/bin/outrigger --user 65532:65532
  rm -rf "$root"
  for name in shop order payment shipping; do
    place=$name/cmd
    [ "$name" != shop ] || place=cmd/shop
    [ -d "$repo_root/examples/$place" ] || continue
    CGO_ENABLED=0 go -C "$repo_root/examples" build -trimpath -ldflags -s -o "$folder/bin/$name" "./$place" || fail "the examples do not build"
    image_root "$root" "$folder/bin/$name=/$name"
  done
  python3 "$pack" "docker.io/library/outrigger-examples:dev" "$root" "$folder/images/examples.tar" --user 65532:65532
  rm -rf "$root"
  mkdir "$root"
  cc -static -Os -s -o "$root/pause" "$repo_root/scripts/lib/pause.c"
  python3 "$pack" "localhost/pause:test" "$root" "$folder/images/pause.tar" --entrypoint /pause --user 65532:65532
  rm -rf "$root"
}

# own_cgroups NAME: prints the folder of a new cgroup below this shell's own, for each hierarchy, and makes them.
own_cgroups() {
  local controllers path mount folder
  while IFS=: read -r _ controllers path; do
    mount=/sys/fs/cgroup/${controllers#name=}
    [ -n "$controllers" ] || mount=/sys/fs/cgroup/unified
    [ -d "$mount" ] || continue
    folder=${mount%/}${path%/}/$1
    mkdir -p "$folder"
    [ "$controllers" != cpuset ] || for path in cpuset.cpus cpuset.mems; do
      cat "${folder%/*}/$path" >"$folder/$path"
    done
    echo "$folder"
  done </proc/self/cgroup
}

# enter_cgroups FOLDER...: moves this shell there, and what it starts.
enter_cgroups() {
  local folder
  for folder in "$@"; do echo $BASHPID >"$folder/cgroup.procs"; done
}

# remove_cgroups FOLDER...: with all that is below them; nobody is in them any more.
remove_cgroups() {
  local folder
  for folder in "$@"; do find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}

# hide_the_machine: what containerd, CNI and the kubelet write outside of their folders goes to memory that ends with the
# mount namespace; cgroups show those of own_cgroups only.
hide_the_machine() {
  local folder type
  mount --make-rshared /
  mkdir -p /var/lib/cni /var/log/containers
  for folder in /run /var/lib/cni /var/log; do mount -t tmpfs tmpfs "$folder"; done
  for folder in /sys/fs/cgroup/*/; do
    folder=${folder%/}
    type=${folder##*/}
    ! [ -L "$folder" ] || continue
    umount "$folder"
    case $type in
      unified) mount -t cgroup2 cgroup "$folder" ;;
      systemd) mount -t cgroup -o none,name=systemd cgroup "$folder" ;;
      *) mount -t cgroup -o "$type" cgroup "$folder" ;;
    esac
  done
}

# write_containerd_files FOLDER
write_containerd_files() {
  mkdir -p "$1/cni"
  cat >"$1/cni/10-pods.conflist" <<END
{ "cniVersion": "0.4.0", "name": "pods", "plugins": [ { "type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": false,
  "ipam": { "type": "host-local", "ranges": [ [ { "subnet": "$node_pods" } ] ], "routes": [ { "dst": "0.0.0.0/0" } ] } } ] }
END
  cat >"$1/containerd.toml" <<END
version = 2
root = "$1/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$1/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:test"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$1/cni"
END
}

# write_kubelet_files FOLDER: a certificate of the node, and the configuration.
write_kubelet_files() {
  local server
  server=$(cat "$1/server")
  kubernetes_leaf "$1" kubelet "/O=system:nodes/CN=system:node:$node_name" "DNS:$node_name,IP:$node_address" >>"$1/pki.log" 2>&1
  write_kubeconfig "$1" kubelet "$server"
  echo "nameserver 127.0.0.1" >"$1/resolv.conf" # of pods; nothing answers there
  cat >"$1/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
address: 0.0.0.0
healthzPort: 0
tlsCertFile: $1/kubelet.crt
tlsPrivateKeyFile: $1/kubelet.key
authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: $1/ca.crt } }
authorization: { mode: AlwaysAllow }
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
syncFrequency: 5s
clusterDNS: [10.96.0.10]
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
evictionHard: { memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%" }
oomScoreAdj: 0
podLogsDir: $1/pods
volumePluginDir: $1/plugins
resolvConf: $1/resolv.conf
END
}

# start_node FOLDER: containerd with the images, and the kubelet; returns when the node is ready.
start_node() {
  local folder=$1 image i
  ip addr add "$node_address/32" dev lo
  write_containerd_files "$folder"
  write_kubelet_files "$folder"
  launch_kubernetes "$folder" containerd containerd -c "$folder/containerd.toml"
  for ((i = 0; i < 100; i++)); do
    ctr version >/dev/null 2>&1 && break
    sleep 0.1
  done
  for image in "$folder"/images/*.tar; do quietly ctr -n k8s.io images import "$image" || fail "cannot import $image"; done
  launch_kubernetes "$folder" kubelet "$kubernetes_bin/kubelet" --config "$folder/kubelet.yaml" --kubeconfig "$folder/kubelet.kubeconfig" \
    --root-dir "$folder/kubelet" --cert-dir "$folder" --hostname-override "$node_name" --node-ip "$node_address"
  { "$folder/kubectl" wait --for create "node/$node_name" --timeout 60s &&
    "$folder/kubectl" wait --for condition=Ready "node/$node_name" --timeout 60s; } >/dev/null ||
    fail "the node does not become ready: $(tail -1 "$folder/kubelet.log")"
}

# stop_node FOLDER: pods are not asked; they end with the namespaces.
stop_node() {
  stop_launched "$1" kubelet
  stop_launched "$1" containerd
  umount -R "$1/kubelet" 2>/dev/null || true
}
