package e2e

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"outrigger/tests/e2e/internal/proxy"
)

const (
	flagNow, flagsNow1, flagPie = 0x8, 0x1, 0x08000000 // DF_BIND_NOW, DF_1_NOW, DF_1_PIE
	propertyX86Features         = 0xc0000002
	shadowStack                 = 2
)

// TestHardening reads from the binary how it was compiled and linked.
func TestHardening(t *testing.T) {
	file, err := elf.Open(proxy.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Type != elf.ET_DYN || dynamic(file, elf.DT_FLAGS_1)&flagPie == 0 {
		t.Error("it is not position independent")
	}
	if dynamic(file, elf.DT_FLAGS)&flagNow == 0 && dynamic(file, elf.DT_FLAGS_1)&flagsNow1 == 0 {
		t.Error("symbols are bound lazily")
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH, elf.DT_TEXTREL} {
		if found, err := file.DynValue(tag); err == nil && len(found) > 0 {
			t.Errorf("it has %v", tag)
		}
	}
	segments(t, file)
	symbols(t, file)
	if runtime.GOARCH == "amd64" && feature(file)&shadowStack == 0 {
		t.Error("it is not marked for shadow stacks")
	}
}

func dynamic(file *elf.File, tag elf.DynTag) uint64 {
	found, err := file.DynValue(tag)
	if err != nil || len(found) == 0 {
		return 0
	}
	return found[0]
}

// segments must be writable or executable, not both; the stack is there and only written; tables are read-only once bound.
func segments(t *testing.T, file *elf.File) {
	seen := map[elf.ProgType]bool{}
	for _, p := range file.Progs {
		seen[p.Type] = true
		if p.Type == elf.PT_LOAD || p.Type == elf.PT_GNU_STACK {
			if p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X {
				t.Errorf("a segment %v is writable and executable", p.Type)
			}
		}
	}
	for _, need := range []elf.ProgType{elf.PT_GNU_STACK, elf.PT_GNU_RELRO} {
		if !seen[need] {
			t.Errorf("there is no segment %v", need)
		}
	}
}

func symbols(t *testing.T, file *elf.File) {
	list, err := file.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	protector, fortified := false, 0
	for _, s := range list {
		protector = protector || s.Name == "__stack_chk_fail"
		if strings.HasSuffix(s.Name, "_chk") {
			fortified++
		}
	}
	if !protector {
		t.Error("stacks are not protected")
	}
	if fortified < 4 {
		t.Errorf("%d fortified functions", fortified)
	}
}

// feature gives GNU_PROPERTY_X86_FEATURE_1_AND of .note.gnu.property.
func feature(file *elf.File) uint32 {
	section := file.Section(".note.gnu.property")
	if section == nil {
		return 0
	}
	data, err := section.Data()
	if err != nil || len(data) < 16 {
		return 0
	}
	for data = data[16:]; len(data) >= 12; {
		size := binary.LittleEndian.Uint32(data[4:])
		if binary.LittleEndian.Uint32(data) == propertyX86Features {
			return binary.LittleEndian.Uint32(data[8:])
		}
		step := 8 + int(size+7)&^7
		if step > len(data) {
			return 0
		}
		data = data[step:]
	}
	return 0
}

// TestReproducible builds twice in different folders: the same bytes (long).
func TestReproducible(t *testing.T) {
	if os.Getenv("E2E_FULL") == "" {
		t.Skip("E2E_FULL is not set")
	}
	source, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skip("no git")
	}
	build := func() string {
		dir := t.TempDir()
		script := `set -e; git -C "$1" archive HEAD | tar -x -C "$2"; cd "$2"; unset CCACHE_BASEDIR
cmake -S . -B out -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null; cmake --build out -j "$(nproc)" --target outrigger >/dev/null; sha256sum < out/outrigger`
		sum, err := exec.Command("/bin/sh", "-c", script, "sh", strings.TrimSpace(string(source)), dir).CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, sum)
		}
		return string(sum)
	}
	if one, other := build(), build(); one != other {
		t.Errorf("two builds differ: %s and %s", one, other)
	}
}
