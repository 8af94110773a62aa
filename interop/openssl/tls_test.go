package openssl

import (
	"context"
	stdtls "crypto/tls"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
)

func TestTLSCertificates(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) { certificates(t, "tcp", version) })
	}
}

func TestTLSListener(t *testing.T) {
	a := newAuthority(t, "CA")
	cert, key := a.issue(t, time.Hour, "server.example")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			below, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
			if err != nil {
				t.Fatal(err)
			}
			l, err := tls.Listen(below, &stdtls.Config{Certificates: []stdtls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := start(t, "s_client", version, "-CAfile", a.caFile(t), "-verify_return_error", "-verify_hostname", "server.example",
				"-connect", "127.0.0.1:"+strconv.Itoa(int(l.Addr().Port())))
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s, err := l.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := p.in.Write([]byte("hello from openssl\n")); err != nil {
				t.Fatal(err)
			}
			receive(t, s, "hello from openssl\n")
			if err := s.Send([]byte("hello from the listener\n")); err != nil {
				t.Fatal(err)
			}
			p.expect(t, "hello from the listener")
		})
	}
}
