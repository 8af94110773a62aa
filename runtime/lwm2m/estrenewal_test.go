package lwm2m_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The Content-Formats of EST-coaps for one certificate and for a container of several.
const (
	estCertificate content.Format = 287
	estContainer   content.Format = 281
)

// rogue is an EST server with an authority of its own, whose certificates a test decides.
type rogue struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newRogue(t *testing.T) *rogue {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	r := &rogue{t: t, key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "EST"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(20, 0, 0),
	}}
	r.cert = r.issue(&key.PublicKey, r.cert)
	return r
}

func (r *rogue) issue(key any, template *x509.Certificate) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, r.cert, key, r.key)
	must(r.t, err)
	cert, err := x509.ParseCertificate(der)
	must(r.t, err)
	return cert
}

// certify answers a request for a certificate with one for key, or for the key of the request, with
// these dates. ownCrts says that it answers /crts, too.
func (r *rogue) certify(req lwm2mserver.Request, ownCrts bool, key any, from, to time.Duration) (lwm2mserver.Reply, bool) {
	switch {
	case strings.HasSuffix(req.Path, "/crts") && ownCrts:
		return lwm2mserver.Reply{Code: coap.Content, Format: estCertificate, Payload: r.cert.Raw}, true
	case isCertification(req):
		p, err := x509.ParseCertificateRequest(req.Payload)
		must(r.t, err)
		if key == nil {
			key = p.PublicKey
		}
		leaf := r.issue(key, &x509.Certificate{
			SerialNumber: big.NewInt(2), RawSubject: p.RawSubject, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		})
		return lwm2mserver.Reply{Code: coap.Changed, Format: estCertificate, Payload: leaf.Raw}, true
	}
	return lwm2mserver.Reply{}, false
}

func isCertification(r lwm2mserver.Request) bool {
	return strings.HasSuffix(r.Path, "/sen") || strings.HasSuffix(r.Path, "/sren")
}

// A renewal that fails changes nothing: the device stays registered with the certificate that it
// has, and renews it when the EST server works again.
func TestFailedRenewalKeepsCertificate(t *testing.T) {
	const validity = 10 * 24 * time.Hour
	// always answers requests for certificates, or for those of the authority.
	always := func(crts bool, a lwm2mserver.Reply) func(*estBench) {
		return func(b *estBench) {
			b.boot.Intercept(func(r lwm2mserver.Request) (lwm2mserver.Reply, bool) {
				return a, isCertification(r) && !crts || strings.HasSuffix(r.Path, "/crts") && crts
			})
		}
	}
	issued := func(ownCrts, ownKey bool, from, to time.Duration) func(*estBench) {
		return func(b *estBench) {
			r := newRogue(b.t)
			var key any
			if ownKey {
				key = &r.key.PublicKey
			}
			b.boot.Intercept(func(req lwm2mserver.Request) (lwm2mserver.Reply, bool) { return r.certify(req, ownCrts, key, from, to) })
		}
	}
	var broken atomic.Bool // the store
	for name, fault := range map[string]func(b *estBench){
		"crts: 4.04":              always(true, lwm2mserver.Reply{Code: coap.NotFound}),
		"crts: another format":    always(true, lwm2mserver.Reply{Code: coap.Content, Format: content.SenMLJSON, Payload: []byte("[]")}),
		"crts: nothing":           always(true, lwm2mserver.Reply{Code: coap.Content, Format: estContainer}),
		"crts: too much":          always(true, lwm2mserver.Reply{Code: coap.Content, Format: estContainer, Payload: make([]byte, 60<<10)}),
		"crts: 5.03":              always(true, lwm2mserver.Reply{Code: coap.ServiceUnavailable, MaxAge: 1}),
		"crts: 2.04":              always(true, lwm2mserver.Reply{Code: coap.Changed, Format: estContainer, Payload: []byte{0x30, 0}}),
		"5.03 for ever":           always(false, lwm2mserver.Reply{Code: coap.ServiceUnavailable, MaxAge: 1}),
		"5.03 for a century":      always(false, lwm2mserver.Reply{Code: coap.ServiceUnavailable, MaxAge: 1<<32 - 1}),
		"5.03 without a pause":    always(false, lwm2mserver.Reply{Code: coap.ServiceUnavailable}),
		"2.01":                    always(false, lwm2mserver.Reply{Code: coap.Created, Format: estContainer, Payload: []byte{0x30, 0}}),
		"too much":                always(false, lwm2mserver.Reply{Code: coap.Changed, Format: estContainer, Payload: make([]byte, 60<<10)}),
		"a key of its own making": always(false, lwm2mserver.Reply{Code: coap.Changed, Format: 62, Payload: []byte("multipart")}),
		"nothing":                 always(false, lwm2mserver.Reply{Code: coap.Changed}),
		"not valid yet":           issued(true, false, time.Hour, 2*validity),
		"not valid any more":      issued(true, false, -validity, -time.Second),
		"another key":             issued(true, true, -time.Hour, validity),
		"another authority":       issued(false, false, -time.Hour, validity),
		"silence": func(b *estBench) {
			until := time.Now().Add(12 * time.Hour)
			b.boot.Disturb(1000, lwm2mserver.Fault{Drop: true}, func(r lwm2mserver.Request) bool {
				return isCertification(r) && time.Now().Before(until)
			})
		},
		"the store fails": func(*estBench) { broken.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			broken.Store(false)
			withEST(t, validity, func(b *estBench) {
				b.cfg.Persist = func(context.Context, dm.Committed) error {
					if broken.Load() {
						return errors.New("the flash is worn out")
					}
					return nil
				}
				b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
				b.start()
				dev := b.server.WaitRegistered("dev")
				time.Sleep(validity*4/5 - 2*time.Hour)
				synctest.Wait()
				asked := len(b.boot.Requests())
				before, _ := b.certs.Get(0)
				fault(b)
				time.Sleep(12 * time.Hour)
				synctest.Wait()
				attempts := 0
				for _, r := range b.boot.Requests()[asked:] {
					if r.Path == "/bs" {
						attempts++
					}
				}
				if attempts < 3 || attempts > 20 {
					t.Errorf("%d attempts within 12 h", attempts)
				}
				after, _ := b.certs.Get(0)
				if !sameSecrets(before.Certificates, after.Certificates) || !sameSecrets(before.PrivateKey, after.PrivateKey) || b.sec.Len() != 2 {
					t.Error("the failed renewal has changed the device")
				}
				if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered {
					t.Errorf("the state is %v", s)
				}
				if a, err := dev.Read(b.t.Context(), "/3", content.SenMLJSON); err != nil || a.Code != coap.Content {
					t.Errorf("Read: %v, %v", a, err)
				}
				broken.Store(false)
				b.boot.Intercept(nil)
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				if after, _ = b.certs.Get(0); sameSecrets(before.Certificates, after.Certificates) {
					t.Errorf("not renewed: %v", b.client.Status())
				}
				if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered {
					t.Errorf("after the renewal the state is %v", s)
				}
			})
		})
	}
}

func sameSecrets(a, b dm.Res[dm.Secret]) bool { return must1(a.Get()).Equal(must1(b.Get())) }

// A renewal and the enrolment that follows a failed one share the time that a Finish may wait.
func TestRenewalEndsWithinPatience(t *testing.T) {
	const validity, patience = 10 * 24 * time.Hour, time.Minute
	withEST(t, validity, func(b *estBench) {
		b.cfg.EST.Patience = patience
		b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.server.WaitRegistered("dev")
		time.Sleep(validity*4/5 - 2*time.Hour)
		waited := false
		b.boot.Intercept(func(r lwm2mserver.Request) (lwm2mserver.Reply, bool) {
			if !strings.HasSuffix(r.Path, "/sren") {
				return lwm2mserver.Reply{}, false
			}
			if waited {
				return lwm2mserver.Reply{Code: coap.NotFound}, true
			}
			waited = true
			return lwm2mserver.Reply{Code: coap.ServiceUnavailable, MaxAge: 45}, true
		})
		b.boot.Disturb(1000, lwm2mserver.Fault{Drop: true}, func(r lwm2mserver.Request) bool { return strings.HasSuffix(r.Path, "/sen") })
		begun := len(b.boot.Requests())
		_, position, _ := b.boot.Server.WaitBootstrap(b.t.Context(), 0, "dev")
		s, _, err := b.boot.Server.WaitBootstrap(b.t.Context(), position, "dev")
		must(b.t, err)
		_ = s.Wait(b.t.Context()) // it ends with the answer to Finish
		asked := b.boot.Requests()[begun:]
		first := slices.IndexFunc(asked, func(r lwm2mtest.Request) bool { return strings.HasSuffix(r.Path, "/crts") })
		if took := time.Since(asked[first].Time); took > patience+time.Second {
			b.t.Errorf("Finish was answered after %v, want %v", took, patience)
		}
	})
}

// failingKey is a key that does not sign, as that of a secure element whose PIN is wrong.
type failingKey struct {
	*ecdsa.PrivateKey
	how func() error
}

func (k failingKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, k.how() }

// What the key of the program says, or a panic of it, stays on the device.
func TestEnrolmentKeepsWordsOfKey(t *testing.T) {
	for name, how := range map[string]func() error{
		"error":  func() error { return errors.New("the PIN hunter2 is wrong") },
		"panic":  func() error { panic("the PIN hunter2 is wrong") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var log transcript
			withEST(t, 0, func(b *estBench) {
				key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				must(t, err)
				b.cfg.EST.Key, b.cfg.RecoverPanics = failingKey{key, how}, true
				b.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
				b.start()
				s, _ := b.boot.WaitBootstrap(0, "dev")
				_ = s.Wait(b.t.Context())
				const want = "4.06 /0/0/2: est: the key of the device cannot sign the certification request"
				if got := s.Results()[2].Answer.String(); got != want {
					t.Errorf("Finish: %s, want %s", got, want)
				}
			})
			if name != "Goexit" && !strings.Contains(log.b.String(), "hunter2") {
				t.Error("the log does not say what the key says")
			}
		})
	}
}

// The clock may be set long after the start of the device, so the client compares it with the
// certificates every day, and renews none too early.
func TestRenewalFollowsTheClock(t *testing.T) {
	withEST(t, 9*365*24*time.Hour, func(b *estBench) {
		b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.server.WaitRegistered("dev")
		for range 10 {
			synctest.Wait()
			if d, ok := lwm2m.UntilRenewal(b.client); !ok || d <= 0 || d > 24*time.Hour {
				b.t.Fatalf("the client waits for %v (%v)", d, ok)
			}
			time.Sleep(20 * time.Hour)
		}
		if n := len(b.boot.Enrolled("dev")); n != 1 {
			b.t.Errorf("%d certificates after some days", n)
		}
	})
}
