package udp_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

func Example() {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() { // a server that answers everything with the same
		s, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		buf := make([]byte, 1500)
		for {
			if _, err := s.Recv(buf); err != nil {
				return
			}
			_ = s.Send([]byte("2.05 Content"))
		}
	}()

	s, remote, err := socket.Open([]socket.Dialer{udp.Dialer{}}, "coap://"+l.Addr().String(), socket.Config{})
	if err == nil {
		err = s.Connect(context.Background(), remote)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	_ = s.Send([]byte("GET /3303/0/5700"))
	s.SetRecvDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	n, err := s.Recv(buf)
	fmt.Printf("%s, %v\n", buf[:n], err)
	// Output: 2.05 Content, <nil>
}
