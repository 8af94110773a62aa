package tls_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
)

// A device that trusts exactly one certificate of its server (usage 3). On a device the dialers are
// tcp.Dialer{} and tls.Dialer{}.
func Example() {
	server, err := selfSigned()
	if err != nil {
		fmt.Println(err)
		return
	}
	device, err := selfSigned()
	if err != nil {
		fmt.Println(err)
		return
	}
	n := simnet.New(1)
	below, err := n.NewHost("server").ListenStream(5684)
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := tls.Listen(below, &stdtls.Config{Certificates: []stdtls.Certificate{server}, MinVersion: stdtls.VersionTLS13})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()

	dialers := []socket.Dialer{n.NewHost("device").StreamDialer(), tls.Dialer{}}
	s, remote, err := socket.Open(dialers, "coaps+tcp://server", socket.Config{
		Security: socket.Security{
			Mode: socket.ModeCertificate, Certificates: device.Certificate, PrivateKey: device.PrivateKey.(*ecdsa.PrivateKey),
			Usage: socket.UsageDomainIssued, ServerPublicKey: server.Certificate[0],
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Connect(ctx, remote); err != nil {
		fmt.Println(err)
		return
	}
	peer, err := l.Accept(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s.Send([]byte("hello"))
	buf := make([]byte, 100)
	size, err := peer.Recv(buf)
	fmt.Printf("%s %v\n", buf[:size], err)
	_ = s.Close()
	// Output: hello <nil>
}

// Pre-shared keys over TLS are refused when the socket is made, not when it connects.
func ExampleNew() {
	below, err := simnet.New(1).NewHost("device").StreamDialer().NewSocket(socket.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tls.New(below, socket.Config{Security: socket.Security{
		Mode: socket.ModePSK, Identity: []byte("heater-7"), Key: socket.NewSecret([]byte("sixteen byte key")),
	}})
	fmt.Println(err != nil)
	// Output: true
}

// selfSigned makes a self-signed certificate.
func selfSigned() (stdtls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return stdtls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
