package dtls_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// A device and a server with a pre-shared key. On a device the dialers are udp.Dialer{} and
// dtls.Dialer{}.
func Example() {
	key := socket.NewSecret([]byte("sixteen byte key"))
	n := simnet.New(1)
	below, err := n.NewHost("server").Listen(5684)
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := dtls.Listen(below, dtls.ServerConfig{
		Key:                func([]byte) (socket.Secret, error) { return key, nil },
		ConnectionIDLength: 8,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()

	dialers := []socket.Dialer{n.NewHost("device").Dialer(), dtls.Dialer{}}
	s, remote, err := socket.Open(dialers, "coaps://server", socket.Config{
		Security: socket.Security{Mode: socket.ModePSK, Identity: []byte("heater-7"), Key: key},
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
	who, _ := dtls.PeerOf(peer)
	fmt.Printf("%s\n", who.Identity)

	_ = s.Send([]byte("hello"))
	buf := make([]byte, 100)
	size, err := peer.Recv(buf)
	fmt.Printf("%s %v\n", buf[:size], err)
	_ = s.Close()
	// Output:
	// heater-7
	// hello <nil>
}

// A socket that exists already, closed, is secured by New.
func ExampleNew() {
	below, err := simnet.New(1).NewHost("device").Dialer().NewSocket(socket.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := dtls.New(below, socket.Config{Security: socket.Security{
		Mode: socket.ModePSK, Identity: []byte("heater-7"), Key: socket.NewSecret([]byte("sixteen byte key")),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.State(), s.InnerMTU() < below.InnerMTU())
	// Output: closed true
}
