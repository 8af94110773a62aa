package main

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// keyFlags are the flags for a secured connection: a pre-shared key, or certificates in PEM files.
type keyFlags struct {
	identity, key                string
	cert, privateKey, serverCert string
}

func addKeyFlags(f *flag.FlagSet) *keyFlags {
	k := &keyFlags{}
	f.StringVar(&k.identity, "psk-identity", "", "identity of the pre-shared key, for coaps")
	f.StringVar(&k.key, "psk-key", "", "pre-shared key in hexadecimal")
	f.StringVar(&k.cert, "cert", "", "file with the certificate of the device, for coaps and coaps+tcp")
	f.StringVar(&k.privateKey, "key", "", "file with the private key of the device")
	f.StringVar(&k.serverCert, "server-cert", "", "file with the certificate of the server, the only one that is trusted")
	return k
}

// set sets the credentials of an account.
func (k *keyFlags) set(account *lwm2m.Server) error {
	if k.identity != "" || k.key != "" {
		key, err := hex.DecodeString(k.key)
		if err != nil {
			return fmt.Errorf("-psk-key is not hexadecimal") // and is not shown
		}
		account.PSK = lwm2m.PSK{Identity: k.identity, Key: socket.NewSecret(key)}
	}
	if k.cert == "" && k.privateKey == "" && k.serverCert == "" {
		return nil
	}
	chain, err := readCertificates(k.cert)
	if err != nil {
		return fmt.Errorf("-cert: %w", err)
	}
	server, err := readCertificates(k.serverCert)
	if err != nil {
		return fmt.Errorf("-server-cert: %w", err)
	}
	key, err := os.ReadFile(k.privateKey)
	if err != nil {
		return fmt.Errorf("-key: %w", err)
	}
	account.Certificate = &lwm2m.Certificate{
		Chain: chain, PrivateKey: socket.NewSecret(key), Server: server[0], Usage: socket.UsageDomainIssued,
	}
	return nil
}

// readCertificates reads the certificates of a file, at least one.
func readCertificates(file string) ([][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	certs, err := socket.ParseCertificates(data)
	if err == nil && len(certs) == 0 {
		err = fmt.Errorf("%s holds no certificate", file)
	}
	return certs, err
}
