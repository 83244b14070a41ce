# Shell functions that bring a real Kubernetes control plane: built from Go modules, started on loopback, ended by pid.
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after common.sh. Binaries stay in the cache; everything that runs lies in the folder that the caller names.

kubernetes_version=1.36.3
etcd_version=3.6.16
kubernetes_bin=$cache_root/kubernetes-$kubernetes_version
kubernetes_service=10.96.0.1
kubernetes_pods=10.77.0.0/16

# in_namespaces COMMAND...: in place of this shell, with network, mounts and cgroups of its own, and processes that end with
# it. Root, or a user who may make user namespaces.
in_namespaces() {
  local user=()
  [ "$(id -u)" -eq 0 ] || user=(--user --map-root-user)
  exec unshare "${user[@]}" --net --mount --cgroup --pid --fork --kill-child --mount-proc "$@"
}

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
    # Without the version a newer one is picked, which does not fit the staging modules.
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

# kubernetes_leaf FOLDER NAME SUBJECT SANS: FOLDER/NAME.crt and NAME.key, signed by the root there.
kubernetes_leaf() {
  (
    cd "$1" || exit
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2.key" -out "$2.csr" -subj "$3"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$4" >"$2.ext"
    openssl x509 -req -in "$2.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$2.crt" -extfile "$2.ext"
  )
}

# make_kubernetes_pki FOLDER: a root, certificates of the API server and of an administrator, keys for tokens.
make_kubernetes_pki() {
  (
    cd "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=test-root
    kubernetes_leaf . apiserver /CN=kube-apiserver IP:127.0.0.1,IP:$kubernetes_service,DNS:localhost,DNS:kubernetes.default.svc
    kubernetes_leaf . admin /O=system:masters/CN=admin DNS:admin
    openssl genrsa -out tokens.key 2048
    openssl rsa -in tokens.key -pubout -out tokens.pub
  ) >"$1/pki.log" 2>&1 || fail "cannot make certificates: $(tail -1 "$1/pki.log")"
}

# write_kubeconfig FOLDER NAME SERVER: FOLDER/NAME.kubeconfig, for the certificate NAME.crt.
write_kubeconfig() {
  cat >"$1/$2.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: "$3", certificate-authority: $1/ca.crt } }]
users: [{ name: u, user: { client-certificate: $1/$2.crt, client-key: $1/$2.key } }]
contexts: [{ name: x, context: { cluster: c, user: u } }]
current-context: x
END
}

# free_ports N: so many loopback ports that nothing listens on.
free_ports() {
  python3 -c 'import socket, sys
s = [socket.socket() for _ in range(int(sys.argv[1]))]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])' "$1"
}

# launch_kubernetes FOLDER NAME COMMAND...: in the background, its pid and log in FOLDER.
launch_kubernetes() {
  local folder=$1 name=$2
  shift 2
  "$@" >>"$folder/$name.log" 2>&1 </dev/null &
  echo $! >"$folder/$name.pid"
}

# write_apiserver_start FOLDER ETCD_PORT PORT: FOLDER/start-apiserver [NAME PORT] starts it, so that a test can stop it and
# start it again, or start another one with the certificate NAME.crt.
write_apiserver_start() {
  cat >"$1/start-apiserver" <<END
#!/bin/sh
cd '$1' || exit 1
name=\${1:-apiserver}
'$kubernetes_bin/kube-apiserver' --etcd-servers=http://127.0.0.1:$2 --bind-address=0.0.0.0 --secure-port="\${2:-$3}" \\
  --advertise-address=192.0.2.2 --endpoint-reconciler-type=none --tls-cert-file="\$name.crt" --tls-private-key-file="\$name.key" \\
  --client-ca-file=ca.crt --service-account-issuer=https://kubernetes.default.svc --service-account-signing-key-file=tokens.key \\
  --service-account-key-file=tokens.pub --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC \\
  --kubelet-client-certificate=admin.crt --kubelet-client-key=admin.key --kubelet-preferred-address-types=InternalIP \\
  >>"\$name.log" 2>&1 </dev/null &
echo \$! >"\$name.pid"
END
  chmod +x "$1/start-apiserver"
}

# start_kubernetes FOLDER: etcd, API server and controllers, everything in FOLDER. FOLDER/kubectl is an administrator's
# kubectl, FOLDER/server the API server's address.
start_kubernetes() {
  local folder=$1 etcd peer api=443 i
  read -r etcd peer < <(free_ports 2)
  make_kubernetes_pki "$folder"
  launch_kubernetes "$folder" etcd "$kubernetes_bin/etcd" --data-dir "$folder/etcd" --listen-client-urls "http://127.0.0.1:$etcd" \
    --advertise-client-urls "http://127.0.0.1:$etcd" --listen-peer-urls "http://127.0.0.1:$peer" \
    --initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "default=http://127.0.0.1:$peer" --unsafe-no-fsync --log-level warn
  write_apiserver_start "$folder" "$etcd" "$api"
  "$folder/start-apiserver"
  echo "https://127.0.0.1:$api" >"$folder/server"
  printf '#!/bin/sh\nexec %s --server https://127.0.0.1:%s --certificate-authority %s/ca.crt --client-certificate %s/admin.crt --client-key %s/admin.key --cache-dir %s/cache "$@"\n' \
    "$kubernetes_bin/kubectl" "$api" "$folder" "$folder" "$folder" "$folder" >"$folder/kubectl"
  chmod +x "$folder/kubectl"
  for ((i = 0; i < 300; i++)); do
    "$folder/kubectl" --request-timeout=2s get --raw /readyz >/dev/null 2>&1 && break
    sleep 0.2
  done
  [ "$i" -lt 300 ] || fail "the API server does not become ready: $(tail -1 "$folder/apiserver.log")"
  write_kubeconfig "$folder" admin "https://127.0.0.1:$api"
  launch_kubernetes "$folder" controllers "$kubernetes_bin/kube-controller-manager" --kubeconfig "$folder/admin.kubeconfig" \
    --leader-elect=false --bind-address=127.0.0.1 --secure-port=0 --root-ca-file="$folder/ca.crt" \
    --service-account-private-key-file="$folder/tokens.key" \
    --controllers=deployment-controller,replicaset-controller,job-controller,persistentvolume-binder-controller,endpointslice-controller,serviceaccount-controller,namespace-controller,root-ca-certificate-publisher-controller
}

# stop_launched FOLDER NAME: what launch_kubernetes started, and waits until it is gone.
stop_launched() {
  local pid i
  [ -f "$1/$2.pid" ] || return 0
  pid=$(cat "$1/$2.pid")
  kill "$pid" 2>/dev/null || true
  for ((i = 0; i < 100; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$1/$2.pid"
}

# stop_kubernetes FOLDER: what start_kubernetes started, the API server before its etcd.
stop_kubernetes() {
  local name
  for name in controllers apiserver etcd; do stop_launched "$1" "$name"; done
}
