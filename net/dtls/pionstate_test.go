package dtls

import (
	"bytes"
	"encoding/gob"
	"math/rand/v2"
	"reflect"
	"testing"

	pion "github.com/pion/dtls/v3"
)

// serialized has the fields of pion's serialized State, in its order.
type serialized struct {
	RemoteSequenceNumber  uint64
	HandshakeComplete     bool
	LocalEpoch            uint16
	RemoteEpoch           uint16
	LocalRandom           [32]byte
	RemoteRandom          [32]byte
	CipherSuiteID         uint16
	MasterSecret          []byte
	SequenceNumber        uint64
	SRTPProtectionProfile uint16
	PeerCertificates      [][]byte
	IdentityHint          []byte
	SessionID             []byte
	LocalConnectionID     []byte
	RemoteConnectionID    []byte
	IsClient              bool
	NegotiatedProtocol    string
}

// randomState has values of every size, and often none.
func randomState(r *rand.Rand) serialized {
	some := func(most int) []byte {
		b := make([]byte, r.IntN(2)*r.IntN(most+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	s := serialized{
		RemoteSequenceNumber: r.Uint64() >> r.IntN(64), HandshakeComplete: r.IntN(2) == 0, LocalEpoch: uint16(r.IntN(2)), RemoteEpoch: 1,
		CipherSuiteID: uint16(r.Uint32()), MasterSecret: some(48), SequenceNumber: r.Uint64() >> r.IntN(64),
		SRTPProtectionProfile: uint16(r.IntN(2)), IdentityHint: some(300), SessionID: some(32),
		LocalConnectionID: some(20), RemoteConnectionID: some(20), IsClient: r.IntN(2) == 0, NegotiatedProtocol: string(some(10)),
	}
	copy(s.LocalRandom[:], some(32))
	copy(s.RemoteRandom[:], some(32))
	for range r.IntN(3) {
		s.PeerCertificates = append(s.PeerCertificates, some(900))
	}
	return s
}

func encodeState(tb testing.TB, s any) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// byGob parses a stream with package gob.
func byGob(blob []byte) (*pionState, error) {
	var st pionState
	err := gob.NewDecoder(bytes.NewReader(blob)).Decode(&st)
	return &st, err
}

// equalStates treats nil and empty slices as equal.
func equalStates(a, b *pionState) bool {
	for _, s := range []*pionState{a, b} {
		for _, p := range []*[]byte{&s.MasterSecret, &s.LocalConnectionID, &s.RemoteConnectionID} {
			if len(*p) == 0 {
				*p = nil
			}
		}
	}
	return reflect.DeepEqual(a, b)
}

// TestStateAsGobReadsIt: gobReader agrees with package gob, and reads every stream of this shape
// itself.
func TestStateAsGobReadsIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		blob := encodeState(t, randomState(r))
		want, err := byGob(blob)
		if err != nil {
			t.Fatal(err)
		}
		own := gobReader{b: blob, types: make(map[int64]gobType)}
		if got := own.state(); own.bad || !equalStates(got, want) {
			t.Fatalf("bad %v: got %+v, want %+v", own.bad, got, want)
		}
		for n := range len(blob) {
			if n%7 != 0 {
				continue
			}
			cut := gobReader{b: blob[:n], types: make(map[int64]gobType)}
			if cut.state(); !cut.bad {
				t.Fatalf("%d of %d bytes are accepted", n, len(blob))
			}
		}
	}
}

// TestStateOfAnotherShape is left to package gob.
func TestStateOfAnotherShape(t *testing.T) {
	type other struct {
		Unknown      map[string]int
		MasterSecret []byte
		IsClient     bool
	}
	blob := encodeState(t, other{map[string]int{"a": 1}, []byte("secret"), true})
	own := gobReader{b: blob, types: make(map[int64]gobType)}
	if own.state(); !own.bad {
		t.Error("the reader says that it understands maps")
	}
	st, err := parsePionState(blob)
	if err != nil || string(st.MasterSecret) != "secret" || !st.IsClient {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := parsePionState([]byte("nothing of the kind")); err == nil {
		t.Error("nonsense is accepted")
	}
}

// TestStateOfPion: the state has the shape that gobReader understands. A release of pion that
// changes it fails here.
func TestStateOfPion(t *testing.T) {
	s := randomState(rand.New(rand.NewPCG(5, 6)))
	s.CipherSuiteID, s.LocalEpoch, s.RemoteEpoch, s.HandshakeComplete = 0xc0a8, 1, 1, true
	s.MasterSecret, s.LocalRandom, s.SequenceNumber = bytes.Repeat([]byte{7}, masterLen), [32]byte{1, 2, 200}, 12
	var state pion.State
	if err := state.UnmarshalBinary(encodeState(t, s)); err != nil {
		t.Fatal(err)
	}
	blob, err := state.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	own := gobReader{b: blob, types: make(map[int64]gobType)}
	got := own.state()
	if own.bad || !bytes.Equal(got.MasterSecret, s.MasterSecret) || got.LocalRandom != s.LocalRandom || got.SequenceNumber != 12 || got.CipherSuiteID != 0xc0a8 {
		t.Fatalf("bad %v: %+v", own.bad, got)
	}
}

func FuzzPionState(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		f.Add(encodeState(f, randomState(r)))
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		own := gobReader{b: b, types: make(map[int64]gobType)}
		own.state()
	})
}
