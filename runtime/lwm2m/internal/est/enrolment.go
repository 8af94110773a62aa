package est

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// The Content-Formats of EST-coaps (RFC 9148 §8.1).
const (
	FormatPKCS7       = 281 // application/pkcs7-mime; smime-type=certs-only
	FormatRequest     = 286 // application/pkcs10
	FormatCertificate = 287 // application/pkix-cert
)

// Config configures an [Enrolment]. All fields are required unless they say otherwise.
type Config struct {
	// Sched is the scheduler on whose goroutine everything runs.
	Sched *sched.Scheduler
	// Do sends a request to the EST server.
	Do func(*coap.Call) error
	// Worker runs a slow function on another goroutine and does not wait: making a key pair and
	// signing take long on small devices. A Key that panics does so on that goroutine, after the
	// enrolment has been told.
	Worker func(fn func())
	// Name is the common name of the subject: the endpoint name. It may be empty where Renew is
	// set.
	Name string
	// Key signs the request. The zero value makes a key pair on the curve P-256.
	Key crypto.Signer
	// Renew is the certificate that the new one replaces: the request is /sren, with the same
	// subject. The zero value means a first certificate by /sen.
	Renew *x509.Certificate
	// Patience is how long the enrolment may take, with the pauses that the server asks for. The
	// zero value means two minutes.
	Patience time.Duration
	// MaxBody bounds a response, in bytes. The zero value means 32 KiB.
	MaxBody int
	// Done is called once, with what the enrolment has brought or why it has failed, unless the
	// enrolment is cancelled.
	Done func(Certificates, error)
}

// Enrolment is one enrolment. Its methods belong to the goroutine of the scheduler.
type Enrolment struct {
	cfg     Config
	call    *coap.Call // in flight
	overdue sched.Job
	pause   sched.Job
	over    bool
	ends    sched.Time

	authorities []*x509.Certificate
	key         crypto.Signer
	request     []byte // PKCS #10
}

// Start begins an enrolment.
func Start(cfg Config) *Enrolment {
	if cfg.Patience == 0 {
		cfg.Patience = 2 * time.Minute
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 32 << 10
	}
	e := &Enrolment{cfg: cfg, ends: cfg.Sched.Now().Add(cfg.Patience)}
	e.overdue.Func = func() { e.end(Certificates{}, fmt.Errorf("est: the enrolment has not ended within %v", cfg.Patience)) }
	e.pause.Func = e.askForCertificate
	cfg.Sched.After(&e.overdue, cfg.Patience)
	e.askForAuthorities()
	return e
}

// Cancel ends the enrolment. Done is not called afterwards.
func (e *Enrolment) Cancel() {
	if e.over {
		return
	}
	e.over = true
	e.cfg.Sched.Cancel(&e.overdue)
	e.cfg.Sched.Cancel(&e.pause)
	if call := e.call; call != nil {
		e.call = nil
		call.Cancel()
	}
}

func (e *Enrolment) end(c Certificates, err error) {
	if e.over {
		return
	}
	e.Cancel()
	e.cfg.Done(c, err)
}

// do sends a request and passes the response on.
func (e *Enrolment) do(call *coap.Call, done func(coap.Result)) {
	call.Options.SetAccept(FormatPKCS7)
	call.Priority, call.MaxBody = coap.PriorityHigh, e.cfg.MaxBody
	call.Done = func(r coap.Result) {
		if e.over || e.call != call {
			return
		}
		e.call = nil
		done(r)
	}
	e.call = call
	if err := e.cfg.Do(call); err != nil {
		// Later, so that Start returns before Done is called.
		e.cfg.Sched.Post(func() { e.end(Certificates{}, fmt.Errorf("est: %w", err)) })
	}
}

// askForAuthorities sends /crts.
func (e *Enrolment) askForAuthorities() {
	call := &coap.Call{Code: coap.GET}
	call.Options.AddPath("/.well-known/est/crts")
	e.do(call, func(r coap.Result) {
		certs, err := certificatesOf("/crts", coap.Content, r)
		if err != nil {
			e.end(Certificates{}, err)
			return
		}
		e.authorities = certs
		e.makeRequest()
	})
}

// makeRequest makes the certification request on another goroutine.
func (e *Enrolment) makeRequest() {
	var subject []byte
	if e.cfg.Renew != nil {
		subject = e.cfg.Renew.RawSubject // RFC 7030 §4.2.2: the same as in the old certificate
	}
	e.cfg.Worker(func() {
		key, der, err := crypto.Signer(nil), []byte(nil), fmt.Errorf("%w: it panicked", ErrKey)
		defer func() { e.cfg.Sched.Post(func() { e.onRequestMade(key, der, err) }) }()
		key, der, err = newRequest(e.cfg.Key, e.cfg.Name, subject)
	})
}

func (e *Enrolment) onRequestMade(key crypto.Signer, der []byte, err error) {
	if e.over {
		return
	}
	if err != nil {
		e.end(Certificates{}, err)
		return
	}
	e.key, e.request = key, der
	e.askForCertificate()
}

// askForCertificate sends /sen or /sren. After a pause it sends the identical request again (RFC
// 9148 §4.7).
func (e *Enrolment) askForCertificate() {
	name := "/sen"
	if e.cfg.Renew != nil {
		name = "/sren"
	}
	call := &coap.Call{Code: coap.POST, Body: e.request, Timeout: e.cfg.Patience}
	call.Options.AddPath("/.well-known/est" + name)
	call.Options.SetContentFormat(FormatRequest)
	e.do(call, func(r coap.Result) {
		if wait, ok := retryAfter(r); ok {
			if left := e.ends.Sub(e.cfg.Sched.Now()); wait >= left {
				e.end(Certificates{}, fmt.Errorf("est: %s: the server asks for %v, more than the %v that are left",
					name, wait, left.Truncate(time.Second)))
				return
			}
			e.cfg.Sched.After(&e.pause, wait)
			return
		}
		certs, err := certificatesOf(name, coap.Changed, r)
		if err != nil {
			e.end(Certificates{}, err)
			return
		}
		chain, err := check(certs, e.authorities, e.key.Public(), time.Now())
		if err != nil {
			e.end(Certificates{}, err)
			return
		}
		e.end(Certificates{Key: e.key, Chain: chain, Authorities: e.authorities}, nil)
	})
}

// retryAfter returns how long the server wants the client to wait (RFC 9148 §4.7). A Max-Age option
// that is absent means 60 s (RFC 7252 §5.10.5).
func retryAfter(r coap.Result) (time.Duration, bool) {
	if r.Err != nil || r.Code != coap.ServiceUnavailable {
		return 0, false
	}
	wait := uint32(60)
	if v, ok := r.Options.Uint(coap.OptionMaxAge); ok {
		wait = v
	}
	return max(time.Second, time.Duration(wait)*time.Second), true
}

// certificatesOf returns the certificates of a response.
func certificatesOf(name string, want coap.Code, r coap.Result) ([]*x509.Certificate, error) {
	switch {
	case r.Err != nil:
		return nil, fmt.Errorf("est: %s: %w", name, r.Err)
	case r.Code != want:
		return nil, fmt.Errorf("est: %s: the server answered %v, want %v", name, r.Code, want)
	case len(r.Body) == 0:
		return nil, fmt.Errorf("est: %s: the server has no certificate for this device", name)
	}
	f, ok := r.Options.ContentFormat()
	if !ok {
		f = FormatPKCS7
	}
	body := bytes.Clone(r.Body)
	var certs []*x509.Certificate
	var err error
	switch f {
	case FormatPKCS7:
		certs, err = ParseCertificates(body)
	case FormatCertificate:
		var one *x509.Certificate
		if one, err = x509.ParseCertificate(body); err == nil {
			certs = []*x509.Certificate{one}
		}
	default:
		err = errors.New("the Content-Format is " + fmt.Sprint(f) + ", it must be 281 or 287")
	}
	if err != nil {
		return nil, fmt.Errorf("est: %s: %w", name, err)
	}
	return certs, nil
}
