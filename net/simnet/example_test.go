package simnet_test

import (
	"context"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// A device behind a router keeps its socket while the router gives it new addresses.
func Example() {
	n := simnet.New(42)
	router := n.NewNAT()
	device, server := router.NewHost("device"), n.NewHost("server")
	l, err := server.Listen(5683)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	s, err := device.Dialer().NewSocket(socket.Config{})
	if err == nil {
		err = s.Connect(context.Background(), socket.Endpoint{Host: "server", Port: 5683})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for range 2 {
		_ = s.Send([]byte("update"))
		peer, err := l.Accept(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("the server sees", socket.Detect(peer).Addresses.RemoteAddr())
		router.Rebind()
	}
	// Output:
	// the server sees 100.64.0.1:49152
	// the server sees 100.64.0.1:49153
}

func ExampleNetwork_SetFilter() {
	n := simnet.New(1)
	device, server := n.NewHost("device"), n.NewHost("server")
	n.SetFilter(func(p simnet.Packet) bool {
		fmt.Printf("%v > %v: %s\n", p.From, p.To, p.Data)
		return string(p.Data) != "lose me"
	})
	s, err := device.Dialer().NewSocket(socket.Config{})
	if err == nil {
		err = s.Connect(context.Background(), socket.Endpoint{Host: server.Addrs()[0].String(), Port: 5683})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	_ = s.Send([]byte("keep me"))
	_ = s.Send([]byte("lose me"))
	// Output:
	// 198.18.0.1:49152 > 198.18.0.2:5683: keep me
	// 198.18.0.1:49152 > 198.18.0.2:5683: lose me
}
