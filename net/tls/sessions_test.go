package tls

import (
	"bytes"
	stdtls "crypto/tls"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestStoredSessionRefused: a stored session is only used for its server, with its credentials, for
// some days.
func TestStoredSessionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		w := newWorld(t, a.config())
		sec := a.security()
		sec.MaxVersion = stdtls.VersionTLS12
		store := &socket.MemorySessions{}
		sec.Sessions = store
		s := w.socket(t, sec)
		if err := talk(s, w.remote); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		p := profileOf(t, sec)
		blob, err := store.Take(p.storeKey(w.remote))
		if err != nil || blob == nil {
			t.Fatalf("nothing is stored: %v", err)
		}
		changed := func(f func(*socket.Security)) *profile {
			other := sec
			f(&other)
			return profileOf(t, other)
		}
		for _, c := range []struct {
			name   string
			p      *profile
			remote socket.Endpoint
			later  time.Duration
			text   string
		}{
			{"good", p, w.remote, time.Hour, ""},
			{"another server", p, socket.Endpoint{Host: "other.example", Port: 5684}, 0, "another server"},
			{"another name", changed(func(s *socket.Security) { s.ServerName = "other.example" }), w.remote, 0, "other credentials"},
			{"another certificate of the same key", changed(func(s *socket.Security) {
				s.Certificates = [][]byte{a.ca.IssueFor(t, a.device.Key, nil).Cert.Raw}
			}), w.remote, 0, "other credentials"},
			{"another key", changed(func(s *socket.Security) {
				other := a.ca.IssueFor(t, pkitest.Keys(t)["ECDSA P-384"], nil)
				s.Certificates, s.PrivateKey = [][]byte{other.Cert.Raw}, other.Key
			}), w.remote, 0, "another key"},
			{"old", p, w.remote, maxAge + time.Minute, "at most"},
			{"from the future", p, w.remote, -time.Hour, "at most"},
		} {
			cache := &sessionCache{profile: c.p, remote: c.remote}
			_, err := cache.open(blob, time.Now().Add(c.later))
			if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		cache := &sessionCache{profile: p, remote: w.remote}
		for i := range blob {
			bad := bytes.Clone(blob)
			bad[i] ^= 1
			if _, err := cache.open(bad, time.Now()); err == nil {
				t.Fatalf("a damaged byte %d of %d does not matter", i, len(blob))
			}
			if _, err := cache.open(blob[:i], time.Now()); err == nil {
				t.Fatalf("the first %d bytes of %d are accepted", i, len(blob))
			}
		}
	})
}

func profileOf(tb testing.TB, sec socket.Security) *profile {
	tb.Helper()
	p, err := newProfile(sec)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func FuzzStoredSession(f *testing.F) {
	a := newAuthority(f)
	p := profileOf(f, a.security())
	c := &sessionCache{profile: p, remote: socket.Endpoint{Host: "server.example", Port: 5684}}
	bound := p.binding(c.remote)
	now := time.Unix(1_700_000_000, 0)
	f.Add([]byte("ticket and state"), uint32(3))
	f.Fuzz(func(t *testing.T, rest []byte, size uint32) {
		blob := binary.BigEndian.AppendUint64([]byte(blobMagic), uint64(now.Unix()))
		blob = append(blob, bound[:]...)
		blob = binary.BigEndian.AppendUint32(blob, size)
		blob = append(blob, rest...)
		proved, err := p.prover.Append(append([]byte(nil), blob...))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.open(proved, now) // must not panic
		if _, err := c.open(blob, now); err == nil {
			t.Fatal("accepted without a proof")
		}
	})
}
