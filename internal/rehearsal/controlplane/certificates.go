package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificateLife bounds how long a key is good for that somebody has read in spite of all:
// the longest rehearsal.
const certificateLife = 24 * time.Hour

// credentials are what the parts of one control plane know each other by. The key of the
// authority is forgotten once they are made.
type credentials struct {
	authority      []byte // PEM
	server, client keyPair
	accountKey     []byte // PEM; signs the tokens of ServiceAccounts, of which none is used
}

// keyPair is a certificate and its key, both PEM.
type keyPair struct{ cert, key []byte }

// newCredentials makes them. The client is a member of system:masters.
func newCredentials(now time.Time) (credentials, error) {
	var c credentials
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	authority := template(now, "lifeboat-rehearsal")
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	raw, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		return c, fmt.Errorf("make the authority: %w", err)
	}
	c.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	server := template(now, "localhost")
	server.IPAddresses, server.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	// etcd's peer address is served and asked with one certificate.
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if c.server, err = issue(server, authority, key); err != nil {
		return c, err
	}
	client := template(now, "lifeboat")
	client.Subject.Organization = []string{"system:masters"}
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if c.client, err = issue(client, authority, key); err != nil {
		return c, err
	}
	_, c.accountKey, err = newKey()
	return c, err
}

// template is a certificate that begins a minute ago, for clocks that are read apart.
func template(now time.Time, name string) *x509.Certificate {
	serial := new(big.Int).SetInt64(now.UnixNano())
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
}

func issue(t, authority *x509.Certificate, signer *ecdsa.PrivateKey) (keyPair, error) {
	key, encoded, err := newKey()
	if err != nil {
		return keyPair{}, err
	}
	raw, err := x509.CreateCertificate(rand.Reader, t, authority, key.Public(), signer)
	if err != nil {
		return keyPair{}, fmt.Errorf("make the certificate of %s: %w", t.Subject.CommonName, err)
	}
	return keyPair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), key: encoded}, nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), nil
}
