package tcp_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
)

func Example() {
	l, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	s, remote, err := socket.Open([]socket.Dialer{tcp.Dialer{}}, "coap+tcp://"+l.Addr().String(), socket.Config{})
	if err == nil {
		err = s.Connect(context.Background(), remote)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	peer, err := l.Accept(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = peer.Send([]byte("the last words"))
	_ = peer.Close()

	s.SetRecvDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 8) // a stream has no boundaries
	for {
		n, err := s.Recv(buf)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%q\n", buf[:n])
	}
	// Output:
	// "the last"
	// " words"
	// EOF
}
