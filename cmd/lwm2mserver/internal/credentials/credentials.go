// Package credentials makes and keeps the keys of a server for development and of its devices.
package credentials

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Identity is the identity of the pre-shared key.
const Identity = "device"

// The files of the folder.
const (
	pskFile        = "psk.txt" // hexadecimal
	serverCertFile = "server.pem"
	serverKeyFile  = "server-key.pem"
	deviceCertFile = "device.pem"
	deviceKeyFile  = "device-key.pem"
)

// Store holds the credentials in a folder. Only the user can read its files.
type Store struct {
	// PSK is the key that all devices share.
	PSK socket.Secret
	// Server is the certificate of the server, and Devices holds that of all devices.
	Server  tls.Certificate
	Devices *x509.CertPool
	// Made reports that Open made credentials that did not exist.
	Made bool

	dir string
}

// Open reads the credentials in a folder, and makes those that do not exist. The names and
// addresses in hosts are those of the server in its certificate, if it is made.
func Open(dir string, hosts []string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, Devices: x509.NewCertPool()}
	if err := s.openPSK(); err != nil {
		return nil, err
	}
	if s.Server, err = s.openPair(serverCertFile, serverKeyFile, "lwm2mserver", hosts); err != nil {
		return nil, err
	}
	device, err := s.openPair(deviceCertFile, deviceKeyFile, "device", nil)
	if err != nil {
		return nil, err
	}
	s.Devices.AddCert(device.Leaf)
	return s, nil
}

// openPSK reads the pre-shared key or makes one of 128 random bits.
func (s *Store) openPSK() error {
	text, err := os.ReadFile(s.path(pskFile))
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 16)
		_, _ = rand.Read(key) // never fails
		text = []byte(hex.EncodeToString(key) + "\n")
		err = s.write(pskFile, text)
	}
	if err != nil {
		return err
	}
	key := make([]byte, hex.DecodedLen(len(text)))
	n, err := hex.Decode(key, bytes.TrimSpace(text))
	if err != nil || n == 0 {
		return fmt.Errorf("%s holds no hexadecimal key; delete it, and the next start makes one", s.path(pskFile))
	}
	s.PSK = socket.NewSecret(key[:n])
	return nil
}

// openPair reads a certificate and its key, or makes them.
func (s *Store) openPair(certFile, keyFile, name string, hosts []string) (tls.Certificate, error) {
	if _, err := os.Stat(s.path(certFile)); errors.Is(err, fs.ErrNotExist) {
		if err := s.makePair(certFile, keyFile, name, hosts); err != nil {
			return tls.Certificate{}, err
		}
	}
	pair, err := tls.LoadX509KeyPair(s.path(certFile), s.path(keyFile))
	if err != nil {
		return pair, fmt.Errorf("%w; delete %s, and the next start makes new ones", err, s.path(certFile))
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return pair, fmt.Errorf("%s has expired; delete it, and the next start makes a new one", s.path(certFile))
	}
	return pair, nil
}

// makePair makes a self-signed certificate that is valid for ten years.
func (s *Store) makePair(certFile, keyFile, name string, hosts []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"for development"}},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	err = s.write(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	if err != nil {
		return err
	}
	return s.write(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Dir returns the folder of the credentials.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(file string) string { return filepath.Join(s.dir, file) }

func (s *Store) write(file string, data []byte) error {
	s.Made = true
	return os.WriteFile(s.path(file), data, 0o600)
}

// PSKFlags returns the flags with which a client uses the pre-shared key. They show the key.
func (s *Store) PSKFlags() string {
	return fmt.Sprintf("-psk-identity %s -psk-key %x", Identity, s.PSK.Bytes())
}

// CertificateFlags returns the flags with which a client trusts the server's certificate and uses
// that of the devices. They name files and show no key.
func (s *Store) CertificateFlags() string {
	return fmt.Sprintf("-cert %s -key %s -server-cert %s",
		quote(s.path(deviceCertFile)), quote(s.path(deviceKeyFile)), quote(s.path(serverCertFile)))
}
