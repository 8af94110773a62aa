package proof

import (
	"bytes"
	"testing"

	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestProof(t *testing.T) {
	provers := map[string]*Prover{"PSK": {PSK: socket.NewSecret([]byte("key"))}, "other PSK": {PSK: socket.NewSecret([]byte("yek"))}}
	for name, key := range pkitest.Keys(t) {
		provers[name] = &Prover{Signer: key}
	}
	text := []byte("text to prove")
	for name, p := range provers {
		b, err := p.Append(bytes.Clone(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := p.Cut(b); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 0x10
			if _, err := p.Cut(bad); err == nil {
				t.Errorf("%s: damage at byte %d is not noticed", name, i)
			}
			if _, err := p.Cut(b[:i]); err == nil {
				t.Errorf("%s: %d bytes are accepted", name, i)
			}
		}
		for other, q := range provers {
			if _, err := q.Cut(b); (err == nil) != (other == name) {
				t.Errorf("%s of %s: %v", other, name, err)
			}
		}
	}
}
