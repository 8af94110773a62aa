package socket

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
)

// Wipe overwrites the bytes of the secret, and those of its copies: a Secret that is assigned
// shares its bytes. Nothing may use the secret any more. Len does not change.
func (s Secret) Wipe() { clear(s.Bytes()) }

// WipePrivateKey overwrites a key that ParsePrivateKey has returned, as far as the standard library
// lets it: package crypto keeps further copies of ECDSA and RSA keys, which the garbage collector
// frees. Nothing may use the key any more. Keys of other types, such as those in a secure element,
// stay as they are.
func WipePrivateKey(key crypto.Signer) {
	switch k := key.(type) {
	case hiddenKey:
		k.key.Wipe()
	case *ecdsa.PrivateKey:
		wipeNumbers(k.D)
	case *rsa.PrivateKey:
		wipeNumbers(k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv)
		wipeNumbers(k.Primes...)
	}
}

// wipeNumbers overwrites the digits of numbers, which Bits shares.
func wipeNumbers(numbers ...*big.Int) {
	for _, n := range numbers {
		if n != nil {
			clear(n.Bits())
			n.SetInt64(0)
		}
	}
}
