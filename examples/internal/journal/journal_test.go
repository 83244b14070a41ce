package journal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsLeftOfALineIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("one 1\ntw"), 0o600); err != nil {
		t.Fatal(err)
	}
	if lines, err := Lines(path); err != nil || len(lines) != 1 {
		t.Fatalf("read %v, %v", lines, err)
	}
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append("three", "3"); err != nil {
		t.Fatal(err)
	}
	lines, err := Lines(path)
	if err != nil || len(lines) != 2 || lines[1][0] != "three" || lines[1][1] != "3" {
		t.Fatalf("read %v, %v", lines, err)
	}
	if lines, err := About(path, "three"); err != nil || len(lines) != 1 {
		t.Fatalf("read %v, %v", lines, err)
	}
	if lines, err := About(path, "thre"); err != nil || len(lines) != 0 {
		t.Fatalf("read %v, %v", lines, err)
	}
}

func TestClosedFile(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	if err := j.Append("a"); err == nil {
		t.Fatal("appended to a closed file")
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Fatal("a folder was opened")
	}
	if _, err := Lines(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Fatal("read a file that does not exist")
	}
}
