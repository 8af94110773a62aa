package socket_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestWipeSecret(t *testing.T) {
	own := []byte("secret")
	s := socket.NewSecret(own)
	assigned, kept := s, s.Bytes()
	s.Wipe()
	if !bytes.Equal(kept, make([]byte, 6)) || !bytes.Equal(assigned.Bytes(), kept) || s.Len() != 6 {
		t.Errorf("the bytes are %q, those of the copy %q", kept, assigned.Bytes())
	}
	if string(own) != "secret" {
		t.Errorf("the bytes of the caller are %q", own)
	}
	socket.Secret{}.Wipe()
}

func TestWipePrivateKey(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	parsed := func(k crypto.Signer) crypto.Signer {
		t.Helper()
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := socket.ParsePrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	zero := func(name string, n *big.Int, digits []big.Word) {
		t.Helper()
		for _, d := range digits {
			if d != 0 || n.Sign() != 0 {
				t.Errorf("%s is not overwritten", name)
				return
			}
		}
	}

	ec := parsed(newKey(t)).(*ecdsa.PrivateKey)
	digits := ec.D.Bits()
	socket.WipePrivateKey(ec)
	zero("the ECDSA key", ec.D, digits)

	rs := parsed(rsaKey).(*rsa.PrivateKey)
	numbers := []*big.Int{rs.D, rs.Primes[0], rs.Primes[1], rs.Precomputed.Dp, rs.Precomputed.Dq, rs.Precomputed.Qinv}
	var before [][]big.Word
	for _, n := range numbers {
		before = append(before, n.Bits())
	}
	socket.WipePrivateKey(rs)
	for i, n := range numbers {
		zero("a number of the RSA key", n, before[i])
	}

	hidden := parsed(ed)
	socket.WipePrivateKey(hidden)
	if sig, err := hidden.Sign(rand.Reader, []byte("m"), crypto.Hash(0)); err == nil && ed25519.Verify(ed.Public().(ed25519.PublicKey), []byte("m"), sig) {
		t.Error("the Ed25519 key still signs")
	}

	own := newKey(t)
	socket.WipePrivateKey(foreign{own})
	if own.D.Sign() == 0 {
		t.Error("a key of another type is overwritten")
	}
	socket.WipePrivateKey(nil)
}

// foreign is a key that the program has elsewhere.
type foreign struct{ crypto.Signer }
