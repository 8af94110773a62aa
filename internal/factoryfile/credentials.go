package factoryfile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// sources are the keys of a value of bytes, one of which says where the bytes come from.
var sources = []string{"hex", "base64", "text", "file", "hex-file", "env", "stdin"}

const sourceHelp = "write one of {hex: 0a0b}, {base64: Cgs=}, {text: abc}, {file: NAME} for its bytes as they are, " +
	"or {hex-file: NAME}, {env: NAME} or {stdin: true} for hexadecimal digits"

// source reads a value of bytes. No error shows the value.
func (b *builder) source(n *yaml.Node, what string) ([]byte, bool) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		b.fault(n.Line, "%s must say where its bytes come from: %s", what, sourceHelp)
		return nil, false
	}
	key, value := n.Content[0].Value, n.Content[1]
	if !slices.Contains(sources, key) {
		b.fault(n.Line, "%s has an unknown source: %s", what, sourceHelp)
		return nil, false
	}
	text, ok := b.scalar(value, what)
	if !ok {
		return nil, false
	}
	switch key {
	case "text":
		return []byte(text), true
	case "base64":
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			b.fault(value.Line, "%s is no base64, write letters and digits with = at the end", what)
		}
		return raw, err == nil
	case "hex":
		return b.hex([]byte(text), what, value.Line)
	case "file", "hex-file":
		raw, ok := b.file(text, what, value.Line)
		if !ok || key == "file" {
			return raw, ok
		}
		return b.hex(raw, what, value.Line)
	case "env":
		found := false
		var env string
		if b.in.Getenv != nil {
			env, found = b.in.Getenv(text)
		}
		if !found {
			b.fault(value.Line, "%s comes from the environment variable %s, which is not set", what, printable(text))
			return nil, false
		}
		return b.hex([]byte(env), what, value.Line)
	}
	if text != "true" || b.in.Stdin == nil {
		b.fault(value.Line, "%s cannot come from the standard input, write {stdin: true} for one value", what)
		return nil, false
	}
	raw, err := b.in.Stdin()
	if err != nil {
		b.fault(value.Line, "%s cannot be read from the standard input: %v", what, err)
		return nil, false
	}
	return b.hex(raw, what, value.Line)
}

// hex decodes hexadecimal digits, between which there may be blanks and colons.
func (b *builder) hex(text []byte, what string, line int) ([]byte, bool) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n:", r) {
			return -1
		}
		return r
	}, string(text))
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) == 0 {
		b.fault(line, "%s must be hexadecimal digits, two for each byte", what)
		return nil, false
	}
	return raw, true
}

// file reads a file that the YAML file names.
func (b *builder) file(name, what string, line int) ([]byte, bool) {
	if b.in.ReadFile == nil {
		b.fault(line, "%s cannot come from a file here", what)
		return nil, false
	}
	raw, err := b.in.ReadFile(name)
	if err != nil {
		var e *fs.PathError
		if errors.As(err, &e) {
			err = e.Err
		}
		b.fault(line, "%s: the file %s cannot be read: %v; its name is relative to the folder of this file", what, name, err)
	}
	return raw, err == nil
}

// certificates reads the certificates of a PEM file, or one in DER, as one sequence of bytes.
func (b *builder) certificates(n *yaml.Node, what string) ([]byte, bool) {
	name, ok := b.scalar(n, what)
	if !ok {
		return nil, false
	}
	raw, ok := b.file(name, what, n.Line)
	if !ok || len(raw) > 0 && raw[0] == 0x30 {
		return raw, ok
	}
	var der []byte
	for {
		block, rest := pem.Decode(raw)
		if block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			der = append(der, block.Bytes...)
		}
		raw = rest
	}
	if len(der) == 0 {
		b.fault(n.Line, "%s: the file %s has no certificate, name a PEM file with BEGIN CERTIFICATE", what, name)
	}
	return der, len(der) > 0
}

// privateKey reads the private key of a PEM file as PKCS#8.
func (b *builder) privateKey(n *yaml.Node, what string) ([]byte, bool) {
	name, ok := b.scalar(n, what)
	if !ok {
		return nil, false
	}
	raw, ok := b.file(name, what, n.Line)
	if !ok {
		return nil, false
	}
	if !bytes.Contains(raw, []byte("-----BEGIN")) {
		return b.checkedKey(raw, what, name, n.Line)
	}
	for {
		block, rest := pem.Decode(raw)
		if block == nil {
			break
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return b.checkedKey(block.Bytes, what, name, n.Line)
		}
		raw = rest
	}
	b.fault(n.Line, "%s: the file %s has no private key, name a PEM file with BEGIN PRIVATE KEY", what, name)
	return nil, false
}

// checkedKey returns a private key that can be used.
func (b *builder) checkedKey(key []byte, what, name string, line int) ([]byte, bool) {
	if _, err := socket.ParsePrivateKey(key); err != nil {
		b.fault(line, "%s: the file %s holds no key that the toolkit can use, name an ECDSA, Ed25519 or RSA key without password", what, name)
		return nil, false
	}
	return key, true
}

// belongs reports a private key that is not that of the first certificate.
func (b *builder) belongs(chain, key []byte, what string, line int) {
	certs, err := x509.ParseCertificates(chain)
	if err != nil {
		b.fault(line, "%s: the certificates cannot be read, name a PEM file of X.509 certificates", what)
		return
	}
	if signer, err := socket.ParsePrivateKey(key); err == nil {
		public, ok := certs[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(signer.Public()) {
			b.fault(line, "%s: the key does not belong to the first certificate of chain, name the files of one pair, the device's certificate first", what)
		}
	}
}
