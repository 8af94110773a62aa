package sockettest

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func datagramChecks() []check {
	return []check{
		{name: "Boundaries", run: checkBoundaries, unless: datagramOnly},
		{name: "EmptyDatagram", run: checkEmpty, unless: requires(datagramOnly, field("network without security",
			func(r *Rig) bool {
				return r.Config.Security.Mode == socket.ModeNoSec
			}))},
		{name: "TruncationIsVisible", run: checkTruncation, unless: datagramOnly},
		{name: "TooLongToSend", run: checkTooLong, unless: datagramOnly},
		{name: "ManyDatagrams", run: checkMany, unless: datagramOnly},
		{name: "StrangersAreDropped", run: checkStrangers, unless: requires(datagramOnly,
			ability("Addresses", func(a socket.Abilities) bool { return a.Addresses != nil }),
			field("Stranger", func(r *Rig) bool { return r.Stranger != nil }))},
	}
}

func checkBoundaries(r *rig) {
	s, peer := r.connected()
	texts := []string{"first", "the second one", "3", pattern(900), "last"}
	for _, text := range texts {
		r.send(s, text)
		r.send(peer, text)
	}
	for _, text := range texts {
		r.receive(peer, text)
		r.receive(s, text)
	}
}

func checkEmpty(r *rig) {
	s, peer := r.connected()
	for _, d := range []struct{ from, to socket.Socket }{{s, peer}, {peer, s}} {
		if err := r.offer(d.from, nil); err != nil {
			r.t.Fatalf("Send of an empty datagram: %v", err)
		}
		r.send(d.from, "after it")
		if got, err := r.recv(d.to, 100); err != nil || got != "" {
			r.t.Fatalf("Recv of an empty datagram: %q, %v", got, err)
		}
		r.receive(d.to, "after it")
	}
}

func checkTruncation(r *rig) {
	s, peer := r.connected()
	for _, size := range []int{0, 1, 99} {
		r.send(peer, pattern(100))
		r.send(peer, "the next one")
		got, err := r.recv(s, size)
		if !errors.Is(err, socket.ErrMessageTooLong) {
			r.t.Fatalf("Recv of 100 bytes into %d: %v, want ErrMessageTooLong", size, err)
		}
		if got != pattern(100)[:size] {
			r.t.Errorf("Recv of 100 bytes into %d returned %d bytes, %q; want what fits", size, len(got), short(got))
		}
		r.receive(s, "the next one")
	}
	r.send(peer, pattern(100))
	if got, err := r.recv(s, 100); err != nil || got != pattern(100) {
		r.t.Errorf("Recv of 100 bytes into 100: %d bytes, %v", len(got), err)
	}
}

func checkTooLong(r *rig) {
	s, peer := r.connected()
	const size = 1 << 17 // more than any datagram
	err := s.Send(make([]byte, size))
	if !errors.Is(err, socket.ErrMessageTooLong) {
		r.t.Errorf("Send of a datagram of %d bytes: %v, want ErrMessageTooLong", size, err)
	}
	r.echo(s, peer)
}

func checkMany(r *rig) {
	s, peer := r.connected()
	for i := range 200 {
		text := fmt.Sprintf("number %d %s", i, pattern(i))
		r.send(s, text)
		r.receive(peer, text)
		r.send(peer, text)
		r.receive(s, text)
	}
}

// checkStrangers checks that Recv returns the datagrams of the peer alone: without security nothing
// else tells those of an attacker from them.
func checkStrangers(r *rig) {
	s, peer := r.connected()
	to := socket.Detect(s).Addresses.LocalAddr()
	for i := range 3 {
		if err := r.Stranger(to, []byte("forged")); err != nil {
			r.t.Fatalf("Stranger: %v", err)
		}
		text := fmt.Sprint("genuine ", i)
		r.send(peer, text)
		if got, err := r.recv(s, 100); err != nil || got != text {
			r.t.Fatalf("Recv after a datagram from another address than the peer's: %q, %v; want %q of the peer", got, err, text)
		}
	}
}
