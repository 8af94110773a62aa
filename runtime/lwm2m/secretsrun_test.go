package lwm2m_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
)

// transcript collects everything that a run prints or sends in answers.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *transcript) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

// print adds values in every form in which a program could print them.
func (x *transcript) print(values ...any) {
	for _, v := range values {
		text, err := json.Marshal(v)
		fmt.Fprintf(x, "%v\n%+v\n%#v\n%s %v\n", v, v, v, text, err)
		slog.New(slog.NewJSONHandler(x, nil)).Info("x", "v", v)
	}
}

// forms returns how bytes may appear in text.
func forms(key []byte) []string {
	spaced := strings.Trim(fmt.Sprint(key), "[]") // as %v prints bytes
	return []string{
		string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)),
		base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key), spaced,
		strings.ReplaceAll(spaced, " ", ", "),
	}
}

// want fails if a key is in the transcript.
func (x *transcript) want(t *testing.T, keys map[string][]byte) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.b.String()
	if len(all) < 1000 {
		t.Errorf("the run has printed %d bytes only", len(all))
	}
	for name, key := range keys {
		for _, form := range forms(key) {
			if i := strings.Index(all, form); i >= 0 {
				t.Errorf("the %s is in what the run has printed: ...%q", name, all[max(0, i-200):i+len(form)])
			}
		}
	}
}

// A whole life at level Debug prints no key: a bootstrap that is corrected, a registration over the
// account that it brings, reads, a wrong key and the bootstrap that repairs it, and what a program
// would print.
func TestRunPrintsNoSecret(t *testing.T) {
	const bootKey, serverKey, wrongKey = "bootstrap key", "server key 0123456789", "wrong key 0123456789"
	var x transcript
	synctest.Test(t, func(t *testing.T) {
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coaps://boot", PSK: psk}, pskListener(t, bootKey), pskListener(t, serverKey))
		b.cfg.Logger = slog.New(slog.NewTextHandler(&x, &slog.HandlerOptions{Level: slog.LevelDebug}))
		b.cfg.Persist = func(_ context.Context, c dm.Committed) error { x.print(c.Events); return nil }
		failed := 0
		b.cfg.OnStatus = func(s lwm2m.ServerStatus) {
			x.print(s, s.Err, errors.Unwrap(s.Err))
			if s.Err != nil {
				failed++
			}
		}
		finish := lwm2mtest.BootstrapFinish()
		finish.IgnoreError = true
		read := lwm2mtest.BootstrapRead("/0", content.SenMLJSON)
		read.IgnoreError = true
		b.boot.ScriptBootstrap("dev",
			write("/0", "/0/0", securedOf("coaps://server.example.com", 0, nil, nil, []byte(serverKey), "")),
			write("/1", "/1/0", serverOf(1, 86400)), finish, // 4.06: a key without an identity
			lwm2mtest.BootstrapDiscover("/"), read,
			write("/0", "/0/0", securedOf("coaps://server.example.com", 0, []byte("dev"), nil, []byte(serverKey), "")),
			lwm2mtest.BootstrapFinish())
		b.start()
		s := b.boot.RequireBootstrapped("dev")
		for _, r := range s.Results() {
			x.print(r.Answer.Code, r.Answer.Text(), r.Err)
		}
		if r := s.Results()[2].Answer; r.Code != coap.NotAcceptable {
			t.Errorf("Finish of an account without identity: %v", r)
		}
		dev := b.server.WaitRegistered("dev")
		for _, path := range []string{"/0", "/0/0", "/0/0/5", "/1", "/3"} {
			a, err := dev.Read(t.Context(), path, content.SenMLJSON)
			x.print(a.Code, a.Text(), err)
			d, err := dev.Discover(t.Context(), path)
			x.print(d.Code, d.Text(), err)
		}
		x.print(b.client.Status(), b.cfg.Servers, psk)
		for id := range b.sec.All() {
			inst, _ := b.sec.Get(id)
			x.print(inst)
		}
		must(t, b.client.Model().Snapshot().Read(t.Context(), dm.Application, dm.ObjectPath(0), func(p dm.Path, v dm.Value) error {
			x.print(dm.Entry{Path: p, Value: v}, v)
			return nil
		}))
		must(t, b.sec.Update(t.Context(), 0, func(i *security.Instance) error { i.SecretKey.Set(dm.NewSecret([]byte(wrongKey))); return nil }))
		time.Sleep(time.Hour)
		st := b.client.Status()
		if s, _ := st.Server(1); s.State != lwm2m.StateRegistered || failed == 0 {
			t.Errorf("with a wrong key %d states have an error, and in the end the status is %v", failed, s)
		}
		x.print(st)
	})
	x.want(t, map[string][]byte{"key of the bootstrap account": []byte(bootKey), "key of the server": []byte(serverKey), "wrong key": []byte(wrongKey)})
}

// The same of certificates: the private key of an enrolment is made by the device.
func TestEnrolmentPrintsNoSecret(t *testing.T) {
	var x transcript
	keys := map[string][]byte{}
	withEST(t, 10*24*time.Hour, func(b *estBench) {
		b.cfg.Logger = slog.New(slog.NewTextHandler(&x, &slog.HandlerOptions{Level: slog.LevelDebug}))
		b.cfg.OnStatus = func(s lwm2m.ServerStatus) { x.print(s) }
		b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.server.WaitRegistered("dev")
		inst, _ := b.certs.Get(0)
		keys["enrolled key"] = must1(inst.PrivateKey.Get()).Reveal()
		x.print(inst, b.client.Status(), b.cfg.EST)
		time.Sleep(9 * 24 * time.Hour)
		inst, _ = b.certs.Get(0)
		keys["renewed key"] = must1(inst.PrivateKey.Get()).Reveal()
		x.print(inst, b.client.Status())
	})
	if bytes.Equal(keys["enrolled key"], keys["renewed key"]) || len(keys["enrolled key"]) == 0 {
		t.Error("the renewal keeps the key")
	}
	x.want(t, keys)
}

// Printing an EST shows no key, not even one that prints itself.
func TestESTPrintsNoKey(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	scalar, err := curve.Bytes()
	must(t, err)
	for name, c := range map[string]struct {
		key   crypto.Signer
		bytes []byte
	}{"P-256": {curve, scalar}, "Ed25519": {edwards, edwards.Seed()}} {
		var x transcript
		e := lwm2m.EST{Key: c.key, Patience: time.Minute}
		for range 10 { // a transcript is not short
			x.print(e, &e, []lwm2m.EST{e}, lwm2m.Config{EST: e}, struct{ E lwm2m.EST }{e})
		}
		x.want(t, map[string][]byte{name: c.bytes, name + " as a number": []byte(new(big.Int).SetBytes(c.bytes).String())})
	}
}
