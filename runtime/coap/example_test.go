package coap_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

func ExampleMessage() {
	m := coap.Message{Type: coap.Confirmable, Code: coap.GET, MessageID: 0x1234, Token: []byte{0xab}}
	m.Options.AddPath("/3303/0/5700")
	m.Options.SetAccept(112)
	datagram, err := m.AppendUDP(nil)
	fmt.Printf("%x %v\n", datagram, err)

	var got coap.Message
	err = got.ParseUDP(datagram)
	accept, _ := got.Options.Accept()
	fmt.Printf("%v %s %d %v\n", got.Code, got.Options.AppendPath(nil), accept, err)
	// Output:
	// 41011234abb433333033013004353730306170 <nil>
	// GET /3303/0/5700 112 <nil>
}

// thermometer answers every request with a reading.
type thermometer struct{}

func (thermometer) Head(*coap.Request) {}

func (thermometer) Serve(r *coap.Request) {
	resp := r.Response()
	resp.Code = coap.Content
	resp.Options.SetContentFormat(0)
	resp.Body = append(resp.Body, "22.5"...)
	if err := r.Respond(resp); err != nil {
		fmt.Println(err)
	}
}

// A server reads a resource of a device: two connections, one endpoint, one loop.
func Example() {
	device, server, err := pair()
	if err != nil {
		fmt.Println(err)
		return
	}
	s := sched.New()
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	if err != nil {
		fmt.Println(err)
		return
	}
	at, err := e.NewConn(coap.ConnConfig{Socket: device, Handler: thermometer{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	from, err := e.NewConn(coap.ConnConfig{Socket: server})
	if err != nil {
		fmt.Println(err)
		return
	}

	call := &coap.Call{Code: coap.GET, Done: func(r coap.Result) { fmt.Printf("%v %s %v\n", r.Code, r.Body, r.Err) }}
	call.Options.AddPath("/3303/0/5700")
	if err := from.Do(call); err != nil {
		fmt.Println(err)
	}
	device.SetRecvDeadline(socket.NoWait())
	server.SetRecvDeadline(socket.NoWait())
	for call.Active() {
		for _, c := range []*coap.Conn{at, from} {
			if _, err := c.Receive(1); err != nil {
				fmt.Println(err)
				return
			}
		}
		s.Run()
	}
	// Output: 2.05 22.5 <nil>
}

// pair returns both ends of a connection in memory.
func pair() (device, server socket.Socket, err error) {
	n := simnet.New(1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := n.NewHost("server").Listen(5683)
	if err != nil {
		return nil, nil, err
	}
	device, err = n.NewHost("device").Dialer().NewSocket(socket.Config{})
	if err == nil {
		err = device.Connect(ctx, socket.Endpoint{Host: "server", Port: 5683})
	}
	if err == nil {
		err = device.Send([]byte{0x40, 0, 0, 0}) // a ping: the listener accepts the device by it
	}
	if err == nil {
		server, err = l.Accept(ctx)
	}
	return device, server, err
}
