package sockettest

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func streamChecks() []check {
	return []check{
		{name: "SmallReads", run: checkSmallReads, unless: streamOnly},
		{name: "EndOfStream", run: checkEnd, unless: streamOnly},
		{name: "PeerGone", run: checkPeerGone, unless: streamOnly},
		{name: "LargeTransfer", run: checkLarge, unless: streamOnly},
		{name: "SendDoesNotWait", run: checkSendBusy, unless: streamOnly},
		{name: "SendBusyAndClose", run: checkBusyClose, unless: streamOnly},
		{name: "Backlog", run: checkBacklog, unless: requires(streamOnly, ability("Backlog",
			func(a socket.Abilities) bool { return a.Backlog != nil }))},
	}
}

func checkSmallReads(r *rig) {
	s, peer := r.connected()
	r.send(peer, pattern(300))
	var got strings.Builder
	for got.Len() < 300 {
		part, err := r.recv(s, 7)
		if err != nil {
			r.t.Fatalf("Recv after %d of 300 bytes: %v", got.Len(), err)
		}
		if part == "" {
			r.t.Fatalf("Recv returned nothing and no error")
		}
		got.WriteString(part)
	}
	if got.String() != pattern(300) {
		r.t.Errorf("small reads do not add up to what was sent")
	}
}

func checkEnd(r *rig) {
	s, peer := r.connected()
	r.send(peer, "the last words")
	if err := peer.Close(); err != nil {
		r.t.Fatalf("the peer's Close: %v", err)
	}
	r.receive(s, "the last words")
	for range 2 {
		if got, err := r.recv(s, 10); err != io.EOF { // it is promised exactly
			r.t.Fatalf("Recv at the end of the stream: %q, %v; want exactly io.EOF", got, err)
		}
	}
	if st := s.State(); st != socket.StateConnected {
		r.t.Errorf("State at the end of the stream is %q; only the caller changes it", st)
	}
	r.reconnect(s)
}

// reconnect closes a socket whose peer has closed and connects it again.
func (r *rig) reconnect(s socket.Socket) {
	r.t.Helper()
	if err := s.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	r.echo(s, r.connect(s))
}

func checkPeerGone(r *rig) {
	s, peer := r.connected()
	if err := peer.Close(); err != nil {
		r.t.Fatalf("the peer's Close: %v", err)
	}
	var err error
	for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
		r.within("Send", func() { err = s.Send([]byte("anybody?")) })
		r.pause(settle)
	}
	if err == nil || errors.Is(err, socket.ErrBusy) {
		r.t.Errorf("Send to a peer that has closed: %v after %v, want an error that lasts", err, patience)
	}
	if _, err := r.recv(s, 10); !isEnd(err) && !errors.As(err, new(*socket.AlertError)) {
		r.t.Errorf("Recv from a peer that has closed: %v", err)
	}
}

func checkLarge(r *rig) {
	s, peer := r.connected()
	const size, piece = 1 << 20, 10_000
	whole := pattern(size)
	sent := r.start(func() {
		for rest := whole; rest != ""; {
			part := rest[:min(piece, len(rest))]
			switch err := s.Send([]byte(part)); {
			case err == nil:
				rest = rest[len(part):]
			case errors.Is(err, socket.ErrBusy):
				r.pause(time.Millisecond)
			default:
				r.t.Errorf("Send with %d bytes to go: %v", len(rest), err)
				return
			}
		}
	})
	got := make([]byte, 0, size)
	buf := make([]byte, 1<<16)
	for len(got) < size {
		r.t.Helper()
		peer.SetRecvDeadline(time.Now().Add(patience))
		n, err := peer.Recv(buf)
		if err != nil {
			r.t.Fatalf("the peer received %d of %d bytes: %v", len(got), size, err)
		}
		got = append(got, buf[:n]...)
	}
	r.wait("the sender", sent)
	if string(got) != whole {
		r.t.Errorf("the bytes that arrived are not those that were sent")
	}
}

// mostUntilBusy is more than the systems between the ends buffer.
const mostUntilBusy = 256 << 20

// fill sends until the socket is busy and returns how many bytes it took.
func (r *rig) fill(s socket.Socket) int {
	r.t.Helper()
	piece := []byte(pattern(16 << 10))
	for total := 0; total < mostUntilBusy; {
		var err error
		start := time.Now()
		r.within("Send to a peer that takes nothing", func() { err = s.Send(piece) })
		if d := time.Since(start); d > soon {
			r.t.Errorf("Send to a peer that takes nothing took %v", d)
		}
		switch {
		case err == nil:
			total += len(piece)
		case errors.Is(err, socket.ErrBusy):
			return total
		default:
			r.t.Fatalf("Send to a peer that takes nothing: %v after %d bytes, want ErrBusy at some time", err, total)
		}
	}
	r.t.Fatalf("Send to a peer that takes nothing has taken over %d bytes, want ErrBusy at some time", mostUntilBusy)
	return 0
}

func checkSendBusy(r *rig) {
	s, peer := r.connected()
	total := r.fill(s)
	buf := make([]byte, 1<<16)
	want := pattern(16 << 10)
	for got := 0; got < total; {
		r.t.Helper()
		peer.SetRecvDeadline(time.Now().Add(patience))
		n, err := peer.Recv(buf)
		if err != nil {
			r.t.Fatalf("the peer received %d of the %d bytes that Send took over: %v", got, total, err)
		}
		for i, b := range buf[:n] {
			if b != want[(got+i)%len(want)] {
				r.t.Fatalf("byte %d is not the one that was sent: ErrBusy has cut a message", got+i)
			}
		}
		got += n
	}
	r.echo(s, peer)
}

func checkBusyClose(r *rig) {
	r.goroutines(func() {
		s, peer := r.connected()
		r.fill(s)
		r.within("Close with data held back", func() { _ = s.Close() })
		_ = peer.Close()
	})
}

func checkBacklog(r *rig) {
	s, peer := r.connected()
	b := socket.Detect(s).Backlog
	// The message that made the connection known to the peer may not have been sent yet.
	before := b.SendBacklog()
	total := r.fill(s)
	// A socket whose goroutine does the sending is busy before the system is: then the backlog may
	// already be empty.
	held := b.SendBacklog()
	for end := time.Now().Add(patience); held < 1 && time.Now().Before(end); held = b.SendBacklog() {
		r.pause(time.Millisecond)
		total += r.fill(s)
	}
	if held < 1 || held > before+total {
		r.t.Errorf("SendBacklog of a busy socket is %d after %d bytes, want 1 to as many", held, before+total)
	}
	r.receiveAll(peer, total)
	r.echo(s, peer)
	for end := time.Now().Add(patience); b.SendBacklog() != 0 && time.Now().Before(end); {
		r.pause(time.Millisecond) // the sender may notice a little later
	}
	if n := b.SendBacklog(); n != 0 {
		r.t.Errorf("SendBacklog is %d when the peer has everything, want 0", n)
	}
}
