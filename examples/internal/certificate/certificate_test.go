package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestKeyPairsAreSignedAndLast(t *testing.T) {
	folder := t.TempDir()
	if Last(folder, 0, "order") {
		t.Fatal("an empty folder has certificates")
	}
	if err := Make(folder, time.Hour, "order", "payment"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	for _, name := range []string{"order", "payment"} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: usages}); err != nil {
			t.Error(err)
		}
		if len(pair.Leaf.URIs) != 1 || pair.Leaf.URIs[0].String() != ID(name) {
			t.Errorf("it is for %v", pair.Leaf.URIs)
		}
	}
	if !Last(folder, 30*time.Minute, "order", "payment") || Last(folder, 2*time.Hour, "order") || Last(folder, 0, "shipping") {
		t.Error("wrong about how long they last")
	}
	if err := Make(filepath.Join(folder, "none"), time.Hour, "order"); err == nil {
		t.Error("wrote into a folder that does not exist")
	}
}
