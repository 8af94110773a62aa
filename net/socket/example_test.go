package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// The URI of a server selects the dialer. The error for a scheme without a dialer says what to do.
func ExampleOpen() {
	dialers := []socket.Dialer{udp.Dialer{}}
	s, remote, err := socket.Open(dialers, "coap://lwm2m.example.com", socket.Config{Family: socket.PreferIPv6})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Kind(), "to", remote, "is", s.State())

	_, _, err = socket.Open(dialers, "coaps://lwm2m.example.com", socket.Config{})
	fmt.Println(err)
	// Output:
	// datagram to lwm2m.example.com:5683 is closed
	// server URI "coaps://lwm2m.example.com": not supported: no dialer for the scheme "coaps" among the 1 configured; import github.com/lwm2mgen/toolkit/net/dtls and add dtls.Dialer{} beside udp.Dialer{}, or the dialer that you use instead
}

func ExampleDetect() {
	s, err := udp.Dialer{}.NewSocket(socket.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range socket.Detect(s).Lacks(s.Kind(), false) {
		fmt.Printf("no %s; lost: %s\n", l.Ability, l.Lost)
	}
	// Output:
	// no Buffered; lost: serving after poll() only when needed: it is served after every wait
	// no Notifier; lost: readiness without a goroutine per socket or a shared poller
	// no ReceiverOff; lost: putting the receiver to sleep in queue mode
}

// network has a server at coap://server that a device talks to.
func network() (dev *simnet.Host, l socket.Listener) {
	n := simnet.New(1)
	l, err := n.NewHost("server").Listen(5683)
	if err != nil {
		fmt.Println(err)
	}
	return n.NewHost("device"), l
}

// One goroutine owns the socket; others wake it by the deadline.
func ExampleSocket() {
	dev, l := network()
	defer l.Close()
	s, remote, err := socket.Open([]socket.Dialer{dev.Dialer()}, "coap://server", socket.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	if err := s.Connect(context.Background(), remote); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("connected; a packet carries", s.InnerMTU(), "bytes")

	buf := make([]byte, s.InnerMTU())
	s.SetRecvDeadline(socket.NoWait())
	_, err = s.Recv(buf)
	fmt.Println("nothing there:", err, errors.Is(err, socket.ErrTimeout))

	s.SetRecvDeadline(time.Now().Add(time.Hour))
	time.AfterFunc(time.Millisecond, func() { s.SetRecvDeadline(socket.NoWait()) })
	_, err = s.Recv(buf)
	fmt.Println("woken:", err)
	// Output:
	// connected; a packet carries 1472 bytes
	// nothing there: timed out true
	// woken: timed out
}

// A Poller reports which of many sockets, of any kind, may have data.
func ExamplePoller() {
	dev, l := network()
	defer l.Close()
	var p socket.Poller
	defer p.Close()
	s, err := dev.Dialer().NewSocket(socket.Config{})
	if err == nil {
		s, err = p.Wrap(s) // use the result in place of s
	}
	if err == nil {
		err = s.Connect(context.Background(), socket.Endpoint{Host: "server", Port: 5683})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ready := make(chan socket.Socket, 1)
	s.SetRecvDeadline(socket.NoWait())
	socket.Detect(s).Notifier.NotifyReadable(func() {
		select {
		case ready <- s:
		default: // it is already on the list
		}
	})

	_ = s.Send([]byte("question"))
	peer, err := l.Accept(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = peer.Send([]byte("an answer"))
	_ = peer.Send([]byte("another"))

	buf := make([]byte, 100)
	s = <-ready
	for {
		n, err := s.Recv(buf)
		if errors.Is(err, socket.ErrTimeout) {
			break // until the next call
		}
		fmt.Printf("%s\n", buf[:n])
	}
	// Output:
	// an answer
	// another
}

// A network that comes as a dial function, such as that of a VPN or an SSH tunnel, needs no further
// code. The same function may serve datagrams and streams.
func ExampleNewConnDialer() {
	var vpn net.Dialer
	dialer := socket.NewConnDialer(vpn.DialContext)
	s, remote, err := socket.Open([]socket.Dialer{dialer}, "coap+tcp://lwm2m.example.com", socket.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Kind(), "to", remote)
	// Output: stream to lwm2m.example.com:5683
}

// A driver that delivers data by calls puts it into an Inbox, which does the rest.
func ExampleInbox() {
	var inbox socket.Inbox // for datagrams
	inbox.Open()           // in Connect
	driver := func(datagram string) { inbox.Put([]byte(datagram)) }
	driver("first")
	driver("a long one")

	buf := make([]byte, 5)
	for range 2 {
		n, err := inbox.Recv(buf)
		fmt.Printf("%s, %v\n", buf[:n], err)
	}
	inbox.Close() // in Close
	_, err := inbox.Recv(buf)
	fmt.Println(err)
	// Output:
	// first, <nil>
	// a lon, message too long
	// socket is closed
}

func ExampleSecurity() {
	s := socket.Security{
		Mode:     socket.ModePSK,
		Identity: []byte("probe-7"),
		Key:      socket.NewSecret([]byte("nobody sees this")),
	}
	fmt.Printf("%+v\n", s)

	s = socket.Security{Mode: socket.ModeCertificate, Usage: socket.UsageDomainIssued}
	fmt.Println(s.Validate())
	// Output:
	// PSK, identity "probe-7", key [redacted]
	// security: mode X.509 needs at least one of Certificates (/0/x/3)
	// security: mode X.509 needs a PrivateKey (/0/x/5, or a key that the program supplies)
	// security: certificate usage 3 (domain-issued certificate) needs the ServerPublicKey (/0/x/4): without it there is nothing to trust
}
