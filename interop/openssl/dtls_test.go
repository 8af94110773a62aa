package openssl

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/authority"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

const pskHex = "000102030405060708090a0b0c0d0e0f"

func psk() socket.Security {
	return socket.Security{Mode: socket.ModePSK, Identity: []byte("device-1"), Key: socket.NewSecret([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})}
}

func pskArgs(cipher string) []string {
	return []string{"-dtls1_2", "-nocert", "-psk", pskHex, "-cipher", cipher + ":@SECLEVEL=0"}
}

func TestDTLSWithPSK(t *testing.T) {
	for _, cipher := range []string{
		"PSK-AES128-CCM8", "PSK-AES128-CCM", "PSK-AES256-CCM8", "PSK-AES128-GCM-SHA256", "PSK-AES128-CBC-SHA256", "PSK-CHACHA20-POLY1305",
		"ECDHE-PSK-CHACHA20-POLY1305", "ECDHE-PSK-AES128-CBC-SHA256",
	} {
		t.Run(cipher, func(t *testing.T) {
			p, at := server(t, "udp", pskArgs(cipher)...)
			s := client(t, "udp", psk())
			if err := connect(t, s, at); err != nil {
				t.Fatal(err)
			}
			talk(t, s, p, "hello")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := connect(t, s, at); err != nil {
				t.Fatal(err)
			}
			talk(t, s, p, "again")
			if got := socket.Detect(s).Session.Resumption(); got != socket.SessionResumed {
				t.Errorf("the second connection is %v", got)
			}
			p.expect(t, "Reused session-id")
		})
	}
}

func TestDTLSWrongKey(t *testing.T) {
	_, at := server(t, "udp", pskArgs("PSK-AES128-CCM8")...)
	sec := psk()
	sec.Key = socket.NewSecret([]byte("something else"))
	sec.HandshakeMin, sec.HandshakeMax = 100*time.Millisecond, 800*time.Millisecond
	err := connect(t, client(t, "udp", sec), at)
	if !errors.Is(err, socket.ErrTimeout) && !isAlert(err, socket.AlertDecryptError, true) || !strings.Contains(err.Error(), "key") {
		t.Fatal(err)
	}
	t.Log(err)
}

// certificates runs f with every fault of the server's certificate, over one network.
func certificates(t *testing.T, network string, version ...string) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, a *authority.Authority, s *socket.Security) (extra []string)
		until  time.Duration
		dtls   socket.Alert // sent by the device; TLS always sends bad_certificate
		text   string
	}{
		{"good", func(*testing.T, *authority.Authority, *socket.Security) []string { return nil }, time.Hour, 0, ""},
		{"usage 3", func(_ *testing.T, a *authority.Authority, s *socket.Security) []string {
			s.Usage, s.ServerName = socket.UsageDomainIssued, "whatever"
			return nil
		}, time.Hour, 0, ""},
		{"wrong host name", func(_ *testing.T, _ *authority.Authority, s *socket.Security) []string {
			s.ServerName = "elsewhere.example"
			return nil
		}, time.Hour, socket.AlertBadCertificate, "elsewhere.example"},
		{"expired", func(*testing.T, *authority.Authority, *socket.Security) []string { return nil }, -time.Hour, socket.AlertCertificateExpired, "valid from"},
		{"revoked", func(t *testing.T, a *authority.Authority, s *socket.Security) []string { return nil }, time.Hour, socket.AlertCertificateRevoked, "revoked"},
		{"untrusted", func(t *testing.T, _ *authority.Authority, s *socket.Security) []string {
			s.TrustStore = authority.New(t, "another CA").Pool()
			return nil
		}, time.Hour, socket.AlertUnknownCA, "no way from there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := authority.New(t, "CA")
			cert, key := a.Issue(t, c.until, "server.example")
			sec := a.Device(t)
			extra := c.change(t, a, &sec)
			if sec.Usage == socket.UsageDomainIssued {
				sec.ServerPublicKey = cert.Raw
			}
			if c.name == "revoked" {
				sec.CRLs = append(sec.CRLs, a.Revoke(t, cert))
			}
			args := slices.Concat(version, a.Identity(t, cert, key), []string{"-Verify", "1", "-verify_return_error", "-CAfile", a.CAFile(t)}, extra)
			p, at := server(t, network, args...)
			s := client(t, network, sec)
			err := connect(t, s, at)
			if c.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				talk(t, s, p, "hello")
				return
			}
			want := c.dtls
			if network == "tcp" {
				want = socket.AlertBadCertificate
			}
			if !isAlert(err, want, false) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v", err)
			}
			if network == "udp" {
				p.expect(t, "alert "+strings.ReplaceAll(strings.Fields(want.String())[0], "_", " "))
			}
		})
	}
}

func TestDTLSCertificates(t *testing.T) {
	certificates(t, "udp", "-dtls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
}

func TestDTLSNoCommonSuite(t *testing.T) {
	_, at := server(t, "udp", pskArgs("PSK-AES128-CCM8")...)
	sec := psk()
	sec.CipherSuites = []socket.CipherSuite{0x00a8}
	err := connect(t, client(t, "udp", sec), at)
	if !isAlert(err, socket.AlertHandshakeFailure, true) || !strings.Contains(err.Error(), "TLS_PSK_WITH_AES_128_GCM_SHA256") {
		t.Fatal(err)
	}
}

func TestDTLSMissingClientCertificate(t *testing.T) {
	a, other := authority.New(t, "CA"), authority.New(t, "another CA")
	cert, key := a.Issue(t, time.Hour, "server.example")
	sec := other.Device(t)
	sec.TrustStore = a.Pool()
	_, at := server(t, "udp", slices.Concat([]string{"-dtls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", a.CAFile(t)}, a.Identity(t, cert, key))...)
	err := connect(t, client(t, "udp", sec), at)
	var alert *socket.AlertError
	if !errors.As(err, &alert) || !alert.Received || !strings.Contains(err.Error(), "of a CA that ours is not from") {
		t.Fatal(err)
	}
	t.Log(err)
}

// TestDTLSListener: s_client connects to the toolkit's listener.
func TestDTLSListener(t *testing.T) {
	a := authority.New(t, "CA")
	cert, key := a.Issue(t, time.Hour, "server.example")
	cfg := dtls.ServerConfig{
		Key: func(id []byte) (socket.Secret, error) {
			if !bytes.Equal(id, psk().Identity) {
				return socket.Secret{}, errors.New("unknown identity")
			}
			return psk().Key, nil
		},
	}
	cfg.Certificate.Certificate, cfg.Certificate.PrivateKey = [][]byte{cert.Raw}, key
	for name, args := range map[string][]string{
		"PSK":          {"-psk", pskHex, "-psk_identity", "device-1", "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"},
		"certificates": {"-CAfile", a.CAFile(t), "-verify_return_error", "-verify_hostname", "server.example", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			below, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
			if err != nil {
				t.Fatal(err)
			}
			l, err := dtls.Listen(below, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := start(t, append([]string{"s_client", "-dtls1_2", "-connect", "127.0.0.1:" + strconv.Itoa(int(l.Addr().Port()))}, args...)...)
			s := accept(t, l, p)
			if who, ok := dtls.PeerOf(s); !ok || name == "PSK" && string(who.Identity) != "device-1" {
				t.Errorf("the peer is %q", who.Identity)
			}
		})
	}
}
