package est

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vector returns an example of RFC 9148 Appendix A.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rfc9148-"+name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// container returns a certs-only container, made with another library than the reader uses.
func container(t testing.TB, certs ...[]byte) []byte {
	t.Helper()
	type signedData struct {
		Version      int
		Digests      []asn1.RawValue `asn1:"set"`
		Content      struct{ Type asn1.ObjectIdentifier }
		Certificates asn1.RawValue   `asn1:"optional"`
		Revocation   asn1.RawValue   `asn1:"optional"` // empty, as in RFC 9148
		Signers      []asn1.RawValue `asn1:"set"`
	}
	sd := signedData{Version: 1}
	sd.Content.Type = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	sd.Certificates = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: bytes.Join(certs, nil)}
	sd.Revocation = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true}
	der, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}{oidSignedData, sd})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// The examples of RFC 9148 Appendix A can be read, and mean what Appendix C says.
func TestVectorsOfRFC9148(t *testing.T) {
	for name, want := range map[string]struct{ subject, issuer string }{
		"crts": {"CN=Root CA,OU=certification,O=Example Inc,L=LA,ST=CA,C=US", "CN=Root CA,OU=certification,O=Example Inc,L=LA,ST=CA,C=US"},
		"sen-response": {"SERIALNUMBER=Wt1234,OU=IoT,O=example Inc,L=LA,ST=CA,C=US",
			"CN=802.1AR CA,OU=certification,O=Example Inc,ST=CA,C=US"},
		"skg-response": {"O=skg example", "O=skg example"},
	} {
		certs, err := ParseCertificates(vector(t, name))
		if err != nil || len(certs) != 1 {
			t.Errorf("%s: %v, %d certificates", name, err, len(certs))
			continue
		}
		if c := certs[0]; c.Subject.String() != want.subject || c.Issuer.String() != want.issuer {
			t.Errorf("%s: subject %v, issuer %v", name, c.Subject, c.Issuer)
		}
		if again := container(t, certs[0].Raw); !bytes.Equal(again, vector(t, name)) {
			t.Errorf("%s: the container has other bytes than %x", name, again)
		}
	}
	for _, name := range []string{"sen-request", "skg-request"} {
		r, err := x509.ParseCertificateRequest(vector(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "sen-request" && r.CheckSignature() != nil {
			t.Errorf("%s: the signature is wrong", name)
		}
	}
	request, _ := x509.ParseCertificateRequest(vector(t, "sen-request"))
	if certs, _ := ParseCertificates(vector(t, "sen-response")); findKey(certs, request.PublicKey) != certs[0] {
		t.Error("the key of the request is not that of the certificate")
	}
	key, err := x509.ParsePKCS8PrivateKey(vector(t, "skg-key"))
	if certs, _ := ParseCertificates(vector(t, "skg-response")); err != nil || findKey(certs, key.(*ecdsa.PrivateKey).Public()) == nil {
		t.Errorf("skg: the private key does not belong to the certificate (%v)", err)
	}
	anchors, others := splitAuthorities(must(ParseCertificates(vector(t, "crts"))))
	if len(anchors) != 1 || len(others) != 0 {
		t.Errorf("%d anchors, %d others", len(anchors), len(others))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestParseCertificatesRefuses(t *testing.T) {
	good := vector(t, "crts")
	cert := must(ParseCertificates(good))[0].Raw
	many := make([][]byte, maxCertificates+1)
	for i := range many {
		many[i] = cert
	}
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"nothing":                {nil, "certs-only container"},
		"text":                   {[]byte("-----BEGIN PKCS7-----"), "certs-only container"},
		"a certificate":          {cert, "certs-only container"},
		"cut":                    {good[:len(good)-1], "certs-only container"},
		"trailing bytes":         {append(bytes.Clone(good), 0), "certs-only container"},
		"indefinite length":      {append([]byte{0x30, 0x80}, good[4:]...), "certs-only container"},
		"another content":        {bytes.Replace(good, []byte{7, 2}, []byte{7, 1}, 1), "must be signedData"},
		"no certificate":         {container(t), "no certificate"},
		"too many":               {container(t, many...), "more than 32"},
		"an attribute":           {container(t, []byte{0xa1, 0}), "not an X.509 certificate"},
		"an invalid certificate": {container(t, []byte{0x30, 0}), "certificate 1"},
	} {
		if certs, err := ParseCertificates(c.der); err == nil || !strings.Contains(err.Error(), c.want) || certs != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// authority is a CA for tests.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string, parent *authority) *authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	by, signer := c, key
	if parent != nil {
		by, signer = parent.cert, parent.key
	}
	der := must(x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, signer))
	return &authority{t, must(x509.ParseCertificate(der)), key}
}

func (a *authority) issue(key any, change func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "dev"},
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Minute)}
	if change != nil {
		change(c)
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, c, a.cert, key, a.key))))
}

// openssl makes a container of two certificates and a revocation list, and reads our request.
func TestAgainstOpenSSL(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	root := newAuthority(t, "root", nil)
	sub := newAuthority(t, "sub", root)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	encode := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	certs := file("certs.pem", append(encode("CERTIFICATE", sub.cert.Raw), encode("CERTIFICATE", root.cert.Raw)...))
	crl := must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), NextUpdate: time.Now().Add(time.Hour)},
		sub.cert, sub.key))
	for _, args := range [][]string{{"-nocrl"}, {"-in", file("crl.pem", encode("X509 CRL", crl))}} {
		out := filepath.Join(dir, "out.p7")
		run(append([]string{"crl2pkcs7", "-certfile", certs, "-outform", "DER", "-out", out}, args...)...)
		got, err := ParseCertificates(must(os.ReadFile(out)))
		if err != nil || len(got) != 2 {
			t.Errorf("%v: %v, %d certificates", args, err, len(got))
		}
	}
	_, der, err := newRequest(nil, "device 7", nil)
	if err != nil {
		t.Fatal(err)
	}
	text := run("req", "-inform", "DER", "-in", file("request.der", der), "-noout", "-text", "-verify")
	for _, want := range []string{"CN = device 7", "P-256", "ecdsa-with-SHA256", "verify OK"} {
		if !strings.Contains(text, want) {
			t.Errorf("openssl says of the request:\n%s\nwithout %q", text, want)
		}
	}
	text = run("pkcs7", "-inform", "DER", "-in", file("ours.p7", container(t, sub.cert.Raw)), "-noout", "-print_certs")
	if !strings.Contains(text, "CN = sub") {
		t.Errorf("openssl says of the container:\n%s", text)
	}
}

func FuzzParseCertificates(f *testing.F) {
	for _, name := range []string{"crts", "sen-response", "skg-response", "att", "sen-request"} {
		f.Add(vector(f, name))
	}
	f.Add(container(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		certs, err := ParseCertificates(der)
		if (err == nil) != (len(certs) > 0) || len(certs) > maxCertificates {
			t.Errorf("%v with %d certificates", err, len(certs))
		}
		for _, c := range certs {
			if !bytes.Contains(der, c.Raw) {
				t.Error("the certificate is not in the payload")
			}
		}
	})
}
