// Package netns gives a test a world of its own: the test process in a network namespace that nobody else sees, and a pod in
// another one, with a cable between.
package netns

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The two ends of the cable.
const (
	World4, World6 = "10.77.0.1", "fd77::1"
	Pod4, Pod6     = "10.77.0.2", "fd77::2"
)

const inside = "E2E_NETNS"

// Enter runs the calling test again in namespaces of its own and tells if this is that run. The outer run, for which it is
// false, has failed or been skipped like the inner one.
func Enter(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if out, err := exec.Command("unshare", "--net", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace here: %v: %s", err, out)
	}
	inner := exec.Command("unshare", "--net", "--mount", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=120s")
	inner.Env = append(os.Environ(), inside+"="+t.Name())
	out, err := inner.CombinedOutput()
	t.Logf("%s", out)
	switch {
	case err != nil:
		t.Errorf("inside its namespace: %v", err)
	case strings.Contains(string(out), "--- SKIP: "+t.Name()+" "):
		t.Skip("skipped inside its namespace")
	}
	return false
}

// Pod is a network namespace beside that of the test.
type Pod struct {
	t    testing.TB
	name string
}

// NewPod lays the cable: the test has World4 and World6, the pod has Pod4 and Pod6 and a loopback interface.
func NewPod(t testing.TB) *Pod {
	t.Helper()
	p := &Pod{t, "pod"}
	for _, line := range []string{
		"mount -t tmpfs tmpfs /run", "ip link set lo up", "ip netns add pod",
		"ip link add world type veth peer name eth0 netns pod", "ip link set world up",
		"ip addr add " + World4 + "/24 dev world", "ip addr add " + World6 + "/64 dev world nodad",
		"ip -n pod link set lo up", "ip -n pod link set eth0 up",
		"ip -n pod addr add " + Pod4 + "/24 dev eth0", "ip -n pod addr add " + Pod6 + "/64 dev eth0 nodad",
	} {
		Run(t, line)
	}
	return p
}

// Run runs a command of words between blanks in the namespace of the test; its output.
func Run(t testing.TB, line string) string {
	t.Helper()
	words := strings.Fields(line)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// Command is a command in the pod.
func (p *Pod) Command(argv ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", p.name}, argv...)...)
}

// Wrapper puts a process into the pod.
func (p *Pod) Wrapper() []string { return []string{"ip", "netns", "exec", p.name} }

// Do runs f in the pod as a user: sockets that it makes, in its own goroutine, are that user's and stay in the pod.
func (p *Pod) Do(uid int, f func() error) error {
	p.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		done <- func() error {
			file, err := os.Open("/run/netns/" + p.name)
			if err != nil {
				return err
			}
			defer file.Close()
			if _, _, errno := syscall.RawSyscall(setns, file.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
				return errno
			}
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
				return errno
			}
			return f()
		}()
	}()
	return <-done
}
