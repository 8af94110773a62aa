package lwm2m_test

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The tests here are OMA's enabler test cases (ETS) of secured connections, of the bootstrap server
// and of the servers that it writes.

// named issues the certificate of a server with a host name.
func (a *ca) named(host string) stdtls.Certificate {
	cert, key := a.issue(x509.Certificate{
		Subject: pkix.Name{CommonName: host}, KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: []string{host},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return stdtls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// pskListener accepts DTLS with one key.
func pskListener(t *testing.T, key string) func(*simnet.Host) socket.Listener {
	return func(h *simnet.Host) socket.Listener {
		below, err := h.Listen(5684)
		must(t, err)
		l, err := dtls.Listen(below, withKey(key))
		must(t, err)
		return l
	}
}

// certificateListener accepts DTLS, or TLS over a stream, with certificates.
func certificateListener(t *testing.T, a *ca, cert stdtls.Certificate, stream bool) func(*simnet.Host) socket.Listener {
	return func(h *simnet.Host) socket.Listener {
		if stream {
			below, err := h.ListenStream(5684)
			must(t, err)
			l, err := tls.Listen(below, &stdtls.Config{
				Certificates: []stdtls.Certificate{cert}, ClientCAs: a.pool(), ClientAuth: stdtls.RequireAndVerifyClientCert,
			})
			must(t, err)
			return l
		}
		below, err := h.Listen(5684)
		must(t, err)
		l, err := dtls.Listen(below, dtls.ServerConfig{Certificate: cert, ClientCAs: a.pool()})
		must(t, err)
		return l
	}
}

// securedOf returns the records of a Security instance with credentials, in SenML JSON.
func securedOf(uri string, mode int, identity, server, key []byte, more string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"n":"0","vs":%q},{"n":"1","vb":false},{"n":"2","v":%d},{"n":"3","vd":%q},{"n":"4","vd":%q},{"n":"5","vd":%q},{"n":"10","v":1}%s`,
		uri, mode, b64(identity), b64(server), b64(key), more)
}

var psk = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("bootstrap key"))}

func TestETS_1_1_int_1_BootstrapFullPSK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coaps://boot", PSK: psk}, pskListener(t, "bootstrap key"), pskListener(t, "server key"))
		b.boot.ScriptBootstrap("dev",
			write("/0", "/0/0", securedOf("coaps://server.example.com", 0, []byte("dev"), nil, []byte("server key"), "")),
			write("/1", "/1/0", serverOf(1, 86400)), lwm2mtest.BootstrapFinish())
		b.start()
		b.boot.RequireBootstrapped("dev")
		b.server.WaitRegistered("dev")
		synctest.Wait()
		if st := b.client.Status(); st.Bootstrap.Secured == "" || st.Servers[0].Secured == "" {
			t.Errorf("status %+v", st)
		}
	})
}

// withCertificate is the account of a server with certificates, as the bootstrap server writes it.
func (a *ca) withCertificate(uri string, server stdtls.Certificate) string {
	dev := a.device("dev", a)
	return securedOf(uri, 2, dev.Chain[0], server.Certificate[0], dev.PrivateKey.Bytes(), "")
}

func TestETS_1_1_int_2_BootstrapFullCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCA(t)
		cert := a.named("server.example.com")
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coaps://boot", PSK: psk}, pskListener(t, "bootstrap key"), certificateListener(t, a, cert, false))
		b.boot.ScriptBootstrap("dev", write("/0", "/0/0", a.withCertificate("coaps://server.example.com", cert)),
			write("/1", "/1/0", serverOf(1, 86400)), lwm2mtest.BootstrapFinish())
		b.start()
		b.boot.RequireBootstrapped("dev")
		b.server.WaitRegistered("dev")
	})
}

// The device registers with a server whose account has certificates.
func TestETS_1_1_int_402_DTLSCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCA(t)
		cert := a.named("server.example.com")
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coap://boot"}, plainListener(t), certificateListener(t, a, cert, false))
		b.addServer(lwm2m.Server{URI: "coaps://server.example.com", Certificate: a.certificateFor(cert)})
		b.start()
		b.server.WaitRegistered("dev")
		if st, _ := b.client.Status().Server(1); st.Secured == "" {
			t.Errorf("status %v", st)
		}
	})
}

// The certificate of the server is for another host name than that of the URI. Certificate usage 3
// compares the certificate itself and no name, so the case runs with usage 2.
func TestETS_1_1_int_403_WrongHostName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCA(t)
		cert := a.named("server.example.com")
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coap://boot"}, plainListener(t), certificateListener(t, a, cert, false))
		b.addServer(lwm2m.Server{URI: "coaps://server-fail.example.com", Certificate: a.device("dev", a)})
		b.start()
		<-time.After(time.Minute)
		st, _ := b.client.Status().Server(1)
		if len(b.server.Endpoints()) != 0 || st.Err == nil || !strings.Contains(st.Err.Error(), "server-fail.example.com") {
			t.Errorf("status %v", st)
		}
	})
}

// The device is bootstrapped over TCP and registers over TLS with certificates.
func TestETS_1_1_int_404_TLSCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCA(t)
		cert := a.named("server.example.com")
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coap+tcp://boot"}, streamListener(t), certificateListener(t, a, cert, true))
		b.boot.ScriptBootstrap("dev", write("/0", "/0/0", a.withCertificate("coaps+tcp://server.example.com", cert)),
			write("/1", "/1/0", strings.Replace(serverOf(1, 86400), `"U"`, `"T"`, 1)), lwm2mtest.BootstrapFinish())
		b.start()
		b.boot.RequireBootstrapped("dev")
		reg := b.server.WaitRegistered("dev").Registration()
		if reg.Params["b"] != "T" {
			t.Errorf("registered with %v", reg.Params)
		}
	})
}

// plainListener accepts coap.
func plainListener(t *testing.T) func(*simnet.Host) socket.Listener {
	return func(h *simnet.Host) socket.Listener {
		l, err := h.Listen(5683)
		must(t, err)
		return l
	}
}

// streamListener accepts coap+tcp.
func streamListener(t *testing.T) func(*simnet.Host) socket.Listener {
	return func(h *simnet.Host) socket.Listener {
		l, err := h.ListenStream(5683)
		must(t, err)
		return l
	}
}

// certificateFor returns the credentials of a device that knows the certificate of its server.
func (a *ca) certificateFor(server stdtls.Certificate) *lwm2m.Certificate {
	c := a.device("dev", a)
	c.Server, c.Usage = server.Certificate[0], socket.UsageDomainIssued
	return c
}

// addServer adds the account of a management server to the device.
func (b *bootBench) addServer(s lwm2m.Server) {
	b.t.Helper()
	s.ShortID = 1
	account, srv, err := s.Instances()
	must(b.t, err)
	must(b.t, b.sec.Add(0, account))
	must(b.t, b.srv.Add(0, srv))
}

// A bootstrap works over every transport, with the credentials of the account of the bootstrap
// server. Wrong credentials leave the device as it is, and the status says why.
func TestBootstrapTransports(t *testing.T) {
	for _, c := range []struct {
		name, uri string
		stream    bool
		wrong     bool
	}{
		{"DTLS with certificates", "coaps://boot", false, false},
		{"TLS with certificates", "coaps+tcp://boot", true, false},
		{"DTLS with another CA", "coaps://boot", false, true},
		{"TLS with another CA", "coaps+tcp://boot", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newCA(t)
				trusted := a
				if c.wrong {
					trusted = newCA(t)
				}
				account := lwm2m.Server{URI: c.uri, Certificate: a.device("dev", trusted)}
				b := newBootBenchOn(t, 1, account, certificateListener(t, a, a.named("boot"), c.stream), plainListener(t))
				b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
				b.start()
				if !c.wrong {
					b.boot.RequireBootstrapped("dev")
					b.server.WaitRegistered("dev")
					return
				}
				<-time.After(time.Minute)
				st := b.client.Status().Bootstrap
				var unknown x509.UnknownAuthorityError
				if st.State != lwm2m.BootstrapWaiting && st.State != lwm2m.BootstrapRequesting || st.Err == nil ||
					!errors.As(st.Err, &unknown) && !strings.Contains(st.Err.Error(), "certificate") {
					t.Errorf("status %v", st)
				}
			})
		})
	}
}
