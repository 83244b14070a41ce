// Package cert makes the certificates of a test: a P-256 authority and leaves with a SPIFFE id and a DNS name.
// Nothing is read from disk and nothing outlives the folder that the caller names.
package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs leaves.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	PEM  []byte
}

// Leaf says what a certificate shall state; the zero value of a field leaves it out or takes the usual one.
type Leaf struct {
	URI       string
	DNS       []string
	IPs       []net.IP
	Usage     []x509.ExtKeyUsage // absent: client and server
	AnyUsage  bool               // no key usage is stated
	NotBefore time.Time
	NotAfter  time.Time
	Change    func(*x509.Certificate) // what else is to be different
	Key       crypto.Signer           // absent: a new P-256 key
}

// Pair is a certificate and its key in PEM.
type Pair struct {
	Cert, Key []byte
	DER       []byte // of the certificate
}

// Files are the three paths that an identity section names.
type Files struct {
	Cert, Key, Trust string
}

// New makes an authority with a fresh key.
func New(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return &Authority{cert: cert, key: key, PEM: block("CERTIFICATE", der)}
}

// Issue signs a leaf.
func (a *Authority) Issue(t testing.TB, leaf Leaf) Pair {
	t.Helper()
	return sign(t, leaf, a.cert, a.key)
}

// Below makes an authority whose certificate this one signs.
func (a *Authority) Below(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	pair := a.Issue(t, Leaf{Key: key, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, Change: func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "authority " + serial(t).String()}
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}})
	cert, err := x509.ParseCertificate(pair.DER)
	check(t, err)
	return &Authority{cert: cert, key: key, PEM: pair.Cert}
}

// Revoke makes a list of revoked pairs that is current until a time.
func (a *Authority) Revoke(t testing.TB, until time.Time, pairs ...Pair) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: serial(t), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: until}
	for _, pair := range pairs {
		cert, err := x509.ParseCertificate(pair.DER)
		check(t, err)
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	check(t, err)
	return block("X509 CRL", der)
}

// Service signs the usual leaf of a service: spiffe://shop.example/ns/shop/sa/NAME and NAME.shop.
func (a *Authority) Service(t testing.TB, name string) Pair {
	t.Helper()
	return a.Issue(t, Leaf{URI: ID(name), DNS: []string{name + ".shop", "localhost"}})
}

// ID is the SPIFFE id of a service.
func ID(name string) string { return "spiffe://shop.example/ns/shop/sa/" + name }

// SelfSigned makes a leaf that no authority signed.
func SelfSigned(t testing.TB, leaf Leaf) Pair {
	t.Helper()
	return sign(t, leaf, nil, nil)
}

// Write lays a pair and the trusted authority in dir under the given name.
func Write(t testing.TB, dir, name string, pair Pair, trust *Authority) Files {
	t.Helper()
	files := Files{
		Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key"), Trust: filepath.Join(dir, name+"-ca.crt"),
	}
	check(t, os.WriteFile(files.Cert, pair.Cert, 0o600))
	check(t, os.WriteFile(files.Key, pair.Key, 0o600))
	check(t, os.WriteFile(files.Trust, trust.PEM, 0o600))
	return files
}

// ServerTLS is the TLS of an endpoint that asks for a client certificate of the authority.
func (a *Authority) ServerTLS(t testing.TB, pair Pair) *tls.Config {
	t.Helper()
	return &tls.Config{
		Certificates: []tls.Certificate{pair.tls(t)}, ClientCAs: a.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	}
}

// ClientTLS is the TLS of a caller; a nil pair shows no certificate.
func (a *Authority) ClientTLS(t testing.TB, pair *Pair, serverName string) *tls.Config {
	t.Helper()
	config := &tls.Config{RootCAs: a.pool(), ServerName: serverName, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	if pair != nil {
		config.Certificates = []tls.Certificate{pair.tls(t)}
	}
	return config
}

func (a *Authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func (p Pair) tls(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	check(t, err)
	return pair
}

func sign(t testing.TB, leaf Leaf, parent *x509.Certificate, parentKey crypto.Signer) Pair {
	t.Helper()
	key := leaf.Key
	if key == nil {
		key = newKey(t)
	}
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "test leaf"}, IPAddresses: leaf.IPs, DNSNames: leaf.DNS,
		NotBefore: orElse(leaf.NotBefore, time.Now().Add(-time.Hour)), NotAfter: orElse(leaf.NotAfter, time.Now().Add(12*time.Hour)),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if leaf.Usage != nil {
		template.ExtKeyUsage = leaf.Usage
	}
	if leaf.AnyUsage {
		template.KeyUsage = 0
	}
	for _, name := range leaf.DNS {
		if name == "localhost" {
			template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		}
	}
	if leaf.URI != "" {
		id, err := url.Parse(leaf.URI)
		check(t, err)
		template.URIs = []*url.URL{id}
	}
	if leaf.Change != nil {
		leaf.Change(template)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	return Pair{Cert: block("CERTIFICATE", der), Key: block("PRIVATE KEY", keyDER), DER: der}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(t, err)
	return n
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func orElse(at, other time.Time) time.Time {
	if at.IsZero() {
		return other
	}
	return at
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
