package est

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	root, other := newAuthority(t, "root", nil), newAuthority(t, "root", nil)
	sub := newAuthority(t, "sub", root)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	strange := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	now := time.Now()
	list := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	for _, c := range []struct {
		name                  string
		received, authorities []*x509.Certificate
		chain                 int
		want                  string
	}{
		{"by the authority", list(root.issue(&key.PublicKey, nil)), list(root.cert), 1, ""},
		{"by a sub-authority in /crts", list(sub.issue(&key.PublicKey, nil)), list(root.cert, sub.cert), 2, ""},
		{"by a sub-authority in the response, out of order", list(sub.cert, sub.issue(&key.PublicKey, nil)), list(root.cert), 2, ""},
		{"by a sub-authority that is the only anchor", list(sub.issue(&key.PublicKey, nil)), list(sub.cert), 1, ""},
		{"for a client", list(root.issue(&key.PublicKey, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})), list(root.cert), 1, ""},
		{"for a server", list(root.issue(&key.PublicKey, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})), list(root.cert), 0, "incompatible key usage"},
		{"another key", list(root.issue(&strange.PublicKey, nil)), list(root.cert), 0, "another public key"},
		{"another authority", list(other.issue(&key.PublicKey, nil)), list(root.cert), 0, "does not lead to the certificates of /crts"},
		{"an authority that only the response has", list(other.issue(&key.PublicKey, nil), other.cert), list(root.cert), 0, "does not lead"},
		{"expired", list(root.issue(&key.PublicKey, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })), list(root.cert), 0,
			"not valid after"},
		{"not yet valid", list(root.issue(&key.PublicKey, func(c *x509.Certificate) { c.NotBefore = now.Add(6 * time.Minute) })),
			list(root.cert), 0, "set the clock"},
		{"of a clock that is ahead", list(root.issue(&key.PublicKey, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(4*time.Minute), now.Add(time.Hour)
		})), list(root.cert), 1, ""},
		{"nothing", nil, list(root.cert), 0, "another public key"},
	} {
		chain, err := check(c.received, c.authorities, key.Public(), now)
		if c.want == "" && (err != nil || len(chain) != c.chain || !key.PublicKey.Equal(chain[0].PublicKey)) {
			t.Errorf("%s: %v, a chain of %d", c.name, err, len(chain))
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
