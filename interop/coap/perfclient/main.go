// Perfclient is the smallest possible LwM2M client for measurements of the CoAP engine. It
// registers at the server -s and then answers every GET with the same value. It waits in the
// cheapest way on one UDP socket: a blocking receive, whose deadline is set only when it changes.
//
//	go build -C interop -o ../bin/coapclient ./coap/perfclient
//	bin/coapclient -s 127.0.0.1:5683
//
// docs/performance.md says what is measured, and how.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"strconv"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

type handler struct{}

func (handler) Head(*coap.Request) {}

func (handler) Serve(r *coap.Request) {
	resp := r.Response()
	resp.Code = coap.Content
	resp.Options.SetContentFormat(0)
	resp.Body = append(resp.Body, "22.5"...)
	if err := r.Respond(resp); err != nil {
		log.Print(err)
	}
}

func main() {
	addr := flag.String("s", "127.0.0.1:5685", "address of the server")
	flag.Parse()
	host, port, err := net.SplitHostPort(*addr)
	if err != nil {
		log.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	sock, err := udp.Dialer{}.NewSocket(socket.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := sock.Connect(context.Background(), socket.Endpoint{Host: host, Port: uint16(number)}); err != nil {
		log.Fatal(err)
	}
	s := sched.New()
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	if err != nil {
		log.Fatal(err)
	}
	c, err := e.NewConn(coap.ConnConfig{Socket: sock, Handler: handler{}})
	if err != nil {
		log.Fatal(err)
	}
	register := &coap.Call{Code: coap.POST, Body: []byte("</3303/0>"), Done: func(r coap.Result) {
		if r.Err != nil {
			log.Fatal(r.Err)
		}
	}}
	register.Options.AddPath("/rd")
	register.Options.AddQuery("ep=perf")
	register.Options.SetContentFormat(40)
	if err := c.Do(register); err != nil {
		log.Fatal(err)
	}
	var wake sched.Time // of the deadline that is set
	for {
		if next, ok := s.Next(); ok && next != wake {
			wake = next
			sock.SetRecvDeadline(time.Now().Add(s.Wait(time.Hour)))
		}
		n, err := c.Receive(1)
		if err != nil {
			log.Fatal(err)
		}
		if n == 0 { // the deadline
			s.Run()
			wake = 0
		}
	}
}
