//go:build linux

// Command custom-network shows how to bring your own network to the toolkit: network.go is a
// complete UDP layer on the system calls socket, connect, poll and recvmsg. The program sends a
// CoAP ping (RFC 7252 §4.3) through it and waits for the answer, from the server that you name, or
// from a small server of its own:
//
//	go run ./examples/custom-network coap://californium.eclipseprojects.io
//
// The page docs/porting.md explains it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	if len(args) > 0 {
		return ping(ctx, out, args[0])
	}
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return err
	}
	defer l.Close()
	go answer(ctx, l)
	return ping(ctx, out, "coap://"+l.Addr().String())
}

// ping sends an empty confirmable message, which a CoAP server rejects with a reset.
func ping(ctx context.Context, out io.Writer, uri string) error {
	s, remote, err := socket.Open([]socket.Dialer{Dialer{}}, uri, socket.Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Connect(ctx, remote); err != nil {
		return err
	}
	const confirmable, empty = 0x40, 0
	if err := s.Send([]byte{confirmable, empty, 0x12, 0x34}); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	s.SetRecvDeadline(deadline)
	buf := make([]byte, s.InnerMTU())
	n, err := s.Recv(buf)
	switch {
	case errors.Is(err, socket.ErrTimeout):
		return fmt.Errorf("%s did not answer", remote)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(out, "answer: % x\n", buf[:n])
	return err
}

// answer is a CoAP server that only answers the ping.
func answer(ctx context.Context, l socket.Listener) {
	s, err := l.Accept(ctx)
	if err != nil {
		return
	}
	buf := make([]byte, 100)
	n, err := s.Recv(buf)
	if err != nil || n != 4 {
		return
	}
	const reset = 0x70
	_ = s.Send([]byte{reset, 0, buf[2], buf[3]})
}
