package dtls

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func mustProfile(tb testing.TB, sec socket.Security) *profile {
	tb.Helper()
	p, err := newProfile(sec)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var testTarget = secured.Target{Remote: socket.Endpoint{Host: "server.example", Port: 5684}, Addr: netip.MustParseAddrPort("192.0.2.1:5684")}

func sampleLive(suiteID socket.CipherSuite, peer ...[]byte) *liveState {
	u, _ := suiteByID(suiteID)
	return &liveState{
		secrets: secrets{suite: u, client: true, master: bytes.Repeat([]byte{7}, 48), clientRandom: [32]byte{1}, serverRandom: [32]byte{2}},
		sendCID: []byte{1, 2, 3, 4, 5, 6, 7, 8}, next: 123456, window: window{99, 0xffff}, peer: peer,
	}
}

func sampleSession(suiteID socket.CipherSuite, peer ...[]byte) *session {
	return &session{id: []byte("session id"), master: bytes.Repeat([]byte{8}, 48), suite: suiteID, extendedMaster: true,
		hint: []byte("hint"), pskHash: [32]byte{3}, peer: peer}
}

// blobOf makes a blob as put does, at a time.
func blobOf(tb testing.TB, p *profile, s *stored, at time.Time) []byte {
	tb.Helper()
	b, err := p.prover.Append(s.appendBlob(nil, at, p.binding(testTarget, s.live != nil)))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestBlobRoundTrip(t *testing.T) {
	now := time.Now()
	a := newAuthority(t)
	for name, key := range pkitest.Keys(t) {
		a.device = a.ca.IssueFor(t, key, nil)
		checkRoundTrip(t, name, mustProfile(t, a.security()), 0xc0ae, now, a.server.Cert.Raw, a.ca.Cert.Raw)
	}
	checkRoundTrip(t, "PSK", mustProfile(t, pskSecurity()), 0xc0a8, now)
}

func checkRoundTrip(t *testing.T, name string, p *profile, id socket.CipherSuite, now time.Time, peer ...[]byte) {
	t.Helper()
	live, sess := sampleLive(id, peer...), sampleSession(id, peer...)
	got, err := p.open(blobOf(t, p, &stored{live: live}, now), testTarget, now)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got.live.secrets.suite.prf, live.secrets.suite.prf = nil, nil // functions are never equal
	if got.session != nil || len(got.live.recvCID) != 0 {
		t.Errorf("%s: %v", name, got)
	}
	got.live.recvCID = nil
	if !reflect.DeepEqual(got.live, live) {
		t.Errorf("%s: live state %v, want %v", name, got.live, live)
	}
	got, err = p.open(blobOf(t, p, &stored{session: sess}, now), testTarget, now)
	if err != nil || got.live != nil || !reflect.DeepEqual(got.session, sess) {
		t.Errorf("%s: session %v, want %v; %v", name, got, sess, err)
	}
}

// TestBlobDamage: no single damaged bit, no missing and no additional byte is accepted.
func TestBlobDamage(t *testing.T) {
	now := time.Now()
	a := newAuthority(t)
	for name, p := range map[string]*profile{"PSK": mustProfile(t, pskSecurity()), "X.509": mustProfile(t, a.security())} {
		blob := blobOf(t, p, &stored{live: sampleLive(p.suites[0].id, a.server.Cert.Raw)}, now)
		step := 1
		if name == "X.509" {
			step = 7 // signatures take their time
		}
		for i := 0; i < len(blob); i++ {
			for bit := 0; bit < 8; bit += step {
				bad := bytes.Clone(blob)
				bad[i] ^= 1 << bit
				if _, err := p.open(bad, testTarget, now); err == nil {
					t.Fatalf("%s: bit %d of byte %d does not matter", name, bit, i)
				}
			}
			if _, err := p.open(blob[:i], testTarget, now); err == nil {
				t.Fatalf("%s: the first %d bytes are accepted", name, i)
			}
		}
		if _, err := p.open(append(bytes.Clone(blob), 0), testTarget, now); err == nil {
			t.Errorf("%s: an additional byte is accepted", name)
		}
	}
}

func TestBlobRefused(t *testing.T) {
	now := time.Now()
	p := mustProfile(t, pskSecurity())
	live, sess := &stored{live: sampleLive(0xc0a8)}, &stored{session: sampleSession(0xc0a8)}
	change := func(f func(*socket.Security)) *profile {
		s := pskSecurity()
		f(&s)
		return mustProfile(t, s)
	}
	elsewhere := secured.Target{Remote: socket.Endpoint{Host: "other.example", Port: 5684}, Addr: testTarget.Addr}
	moved := secured.Target{Remote: testTarget.Remote, Addr: netip.MustParseAddrPort("192.0.2.2:5684")}
	noCID := sampleLive(0xc0a8)
	noCID.sendCID = nil
	for _, c := range []struct {
		name string
		p    *profile
		s    *stored
		to   secured.Target
		at   time.Time
		text string
	}{
		{"another key", change(func(s *socket.Security) { s.Key = socket.NewSecret([]byte("other")) }), live, testTarget, now, "made with another key"},
		{"another identity", change(func(s *socket.Security) { s.Identity = []byte("other") }), live, testTarget, now, "to other credentials"},
		{"another server", p, live, elsewhere, now, "another server"},
		{"another address", p, live, moved, now, "another server"},
		{"an old one", p, live, testTarget, now.Add(maxLiveAge + time.Minute), "old"},
		{"an old session", p, sess, testTarget, now.Add(maxSessionAge + time.Minute), "old"},
		{"one from the future", p, live, testTarget, now.Add(-time.Hour), "after the present time"},
		{"a suite no longer allowed", change(func(s *socket.Security) { s.CipherSuites = []socket.CipherSuite{0x00a8} }), live, testTarget, now, "no longer allowed"},
		{"Connection IDs turned off", change(func(s *socket.Security) { s.NoConnectionID = true }), live, testTarget, now, "which is no longer allowed"},
		{"no Connection ID", p, &stored{live: noCID}, testTarget, now, "no Connection ID"},
	} {
		_, err := c.p.open(blobOf(t, p, c.s, now), c.to, c.at)
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := p.open(blobOf(t, p, sess, now), moved, now); err != nil {
		t.Errorf("a session at another address: %v", err)
	}
	wrong := blobOf(t, p, live, now)
	wrong[len(blobMagic)] = 2
	if _, err := p.open(wrong, testTarget, now); err == nil || !strings.Contains(err.Error(), "version is 2") {
		t.Errorf("version 2: %v", err)
	}
}

// TestBlobOfRevokedServer: a certificate that was trusted when a session was stored may be revoked
// later.
func TestBlobOfRevokedServer(t *testing.T) {
	now := time.Now()
	a := newAuthority(t)
	sec := a.security()
	p := mustProfile(t, sec)
	blob := blobOf(t, p, &stored{live: sampleLive(0xc0ae, a.server.Cert.Raw)}, now)
	sec.CRLs = append(sec.CRLs, a.ca.Revoke(t, a.server))
	if _, err := mustProfile(t, sec).open(blob, testTarget, now); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Error(err)
	}
}

func FuzzBlob(f *testing.F) {
	p := mustProfile(f, pskSecurity())
	now := time.Unix(1_700_000_000, 0)
	for _, s := range []*stored{{live: sampleLive(0xc0a8, []byte("cert"))}, {session: sampleSession(0xc0a8)}} {
		f.Add(s.appendBlob(nil, now, p.binding(testTarget, s.live != nil)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := p.open(body, testTarget, now); err == nil && len(body) < 32 {
			t.Fatal("accepted without a proof")
		}
		// The content is parsed, too, as if the proof were valid.
		binding := p.binding(testTarget, len(body) > 4 && body[4] == kindLive)
		s, err := parseBlob(body, now, binding)
		if err != nil {
			return
		}
		again := s.appendBlob(nil, now, binding)
		if s2, err := parseBlob(again, now, binding); err != nil {
			t.Fatalf("%v of a blob made from %+v", err, s2)
		}
		if s.live == nil {
			return
		}
		if _, err := continueLink(nil, s.live); err != nil {
			t.Fatalf("import: %v", err)
		}
	})
}

func FuzzSecurity(f *testing.F) {
	a := newAuthority(f)
	f.Add(uint8(1), []byte("id"), []byte("key"), []byte(nil), uint8(0), uint8(0), "name", uint16(0xc0a8), int64(0), int64(0))
	f.Add(uint8(3), []byte(nil), []byte(nil), a.server.Cert.Raw, uint8(3), uint8(0), "", uint16(0xc0ae), int64(time.Second), int64(time.Minute))
	f.Fuzz(func(t *testing.T, mode uint8, id, key, server []byte, usage, matching uint8, name string, suiteID uint16, first, most int64) {
		sec := a.security()
		sec.Mode, sec.Identity, sec.Key, sec.ServerPublicKey = socket.Mode(mode), id, socket.NewSecret(key), server
		sec.Usage, sec.Matching, sec.ServerName = socket.CertificateUsage(usage), socket.MatchingType(matching), name
		sec.CipherSuites = []socket.CipherSuite{socket.CipherSuite(suiteID)}
		sec.HandshakeMin, sec.HandshakeMax = time.Duration(first), time.Duration(most)
		c := socket.Config{Security: sec}
		if c.Validate() != nil {
			return
		}
		p, err := newProfile(sec)
		if err != nil {
			return
		}
		if first, total := p.timers(); first <= 0 || total < first {
			t.Errorf("timers %v, %v", first, total)
		}
		params, err := p.parameters(testTarget)
		if err != nil {
			return
		}
		if params.verify != nil {
			_ = params.verify([][]byte{server, a.server.Cert.Raw})
			if err := params.verify([][]byte{id}); err == nil && len(id) == 0 {
				t.Error("an empty certificate is accepted")
			}
		}
		if params.key.Len() == 0 && params.credential == nil {
			t.Error("neither a key nor a certificate")
		}
	})
}
