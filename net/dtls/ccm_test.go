package dtls

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	pionccm "github.com/pion/dtls/v3/pkg/crypto/ccm"
)

// TestCCMAgainstPion compares with an independent implementation, over all small sizes and both
// tags.
func TestCCMAgainstPion(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	for _, keyLen := range []int{16, 32} {
		for _, tag := range []int{8, 16} {
			key := random(keyLen)
			ours, err := newCCM(key, tag)
			if err != nil {
				t.Fatal(err)
			}
			block, err := aes.NewCipher(key)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := pionccm.NewCCM(block, tag, ccmNonce)
			if err != nil {
				t.Fatal(err)
			}
			for size := range 300 {
				nonce, ad, text := random(ccmNonce), random(size%50), random(size)
				want := theirs.Seal(nil, nonce, text, ad)
				if got := ours.Seal([]byte("in front"), nonce, text, ad); string(got) != "in front"+string(want) {
					t.Fatalf("%d bytes: %x, want %x", size, got, want)
				}
				sealed := bytes.Clone(want)
				if got, err := ours.Open(sealed[:0], nonce, sealed, ad); err != nil || !bytes.Equal(got, text) {
					t.Fatalf("%d bytes: %x, %v", size, got, err)
				}
				bad := bytes.Clone(want)
				bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
				if _, err := ours.Open(bad[:0], nonce, bad, ad); err == nil {
					t.Fatalf("%d bytes: damage is not noticed", size)
				}
			}
			if _, err := ours.Open(nil, random(ccmNonce), random(tag-1), nil); err == nil {
				t.Error("shorter than the tag")
			}
		}
	}
	if _, err := newCCM(make([]byte, 16), 5); err == nil {
		t.Error("a tag of 5 bytes")
	}
}

// TestCCMVector is test case 3 of NIST SP 800-38C, the one with a nonce of 12 bytes.
func TestCCMVector(t *testing.T) {
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c, err := newCCM(decode("404142434445464748494a4b4c4d4e4f"), 8)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Seal(nil, decode("101112131415161718191a1b"), decode("202122232425262728292a2b2c2d2e2f3031323334353637"),
		decode("000102030405060708090a0b0c0d0e0f10111213"))
	want := decode("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951")
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
