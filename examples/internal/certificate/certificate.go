// Package certificate makes key pairs for services that are tried out: an authority that is forgotten at once, and certificates
// with SPIFFE ids that it has signed.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// ID is the SPIFFE id of a service.
func ID(name string) string { return "spiffe://shop.example/ns/shop/sa/" + name }

// Make writes ca.crt and, for each name, NAME.crt and NAME.key into the folder.
func Make(folder string, valid time.Duration, names ...string) error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := template("example authority", valid)
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	signed, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := makeOne(folder, name, valid, authority, authorityKey); err != nil {
			return err
		}
	}
	return write(filepath.Join(folder, "ca.crt"), "CERTIFICATE", signed, 0o644)
}

// Last tells if the folder holds a certificate for each name that is valid for so long.
func Last(folder string, long time.Duration, names ...string) bool {
	for _, name := range append([]string{"ca"}, names...) {
		text, err := os.ReadFile(filepath.Join(folder, name+".crt"))
		if err != nil {
			return false
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return false
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil || parsed.NotAfter.Before(time.Now().Add(long)) {
			return false
		}
	}
	return true
}

func makeOne(folder, name string, valid time.Duration, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	id, err := url.Parse(ID(name))
	if err != nil {
		return err
	}
	leaf := template(name, valid)
	leaf.URIs = []*url.URL{id}
	leaf.BasicConstraintsValid = true
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(folder, name+".key"), "PRIVATE KEY", private, 0o600); err != nil {
		return err
	}
	return write(filepath.Join(folder, name+".crt"), "CERTIFICATE", signed, 0o644)
}

func template(name string, valid time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Minute), // clocks differ
		NotAfter:     time.Now().Add(valid),
	}
}

// write replaces a file in one step.
func write(path, kind string, der []byte, mode os.FileMode) error {
	next := path + ".next"
	if err := os.WriteFile(next, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return err
	}
	return os.Rename(next, path)
}
