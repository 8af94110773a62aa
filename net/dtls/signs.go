package dtls

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// signs is what a guard tells of while a handshake goes on. The functions must not use the guard.
type signs struct {
	// refused is called for the first refusal of a flight by the network. The second one ends the
	// handshake.
	refused func(err error)
	// silent is called when a flight is repeated for the first time.
	silent func(seen progress)
	// alert is called for a plaintext alert that would end the handshake. It waits for patience
	// before it does: a forged one is dropped when the handshake gets on.
	alert    func(a *socket.AlertError)
	patience time.Duration
}

// reportSigns makes a guard report its signs to the caller of Connect. Alerts wait for two first
// waits, so that a peer that has sent none has time to repeat its flight.
func reportSigns(ctx context.Context, g *guard, p *parameters) {
	g.client = true
	g.signs = signs{
		refused: func(err error) { socket.ReportProgress(ctx, err) },
		silent: func(seen progress) {
			socket.ReportProgress(ctx, silence(earlySilence(&seen, p)))
		},
		alert: func(a *socket.AlertError) {
			socket.ReportProgress(ctx, fmt.Errorf("handshake: %w", a))
		},
		patience: 2 * p.interval,
	}
}

// silence is the sign of a flight without an answer.
type silence string

func (s silence) Error() string { return string(s) }
func (silence) Unwrap() error   { return socket.ErrTimeout }

// earlySilence says which flight has no response yet, and what that often means.
func earlySilence(s *progress, p *parameters) string {
	switch {
	case s.received == 0:
		return "no answer to ClientHello: perhaps it is no DTLS server (the usual port of coaps is 5684, of coap 5683)"
	case !s.serverHello:
		return "no answer to ClientHello with the server's cookie"
	case s.sentFinished && !s.gotFinished && p.credential == nil:
		return "no answer to Finished, often a wrong key or an unknown identity: compare both with the server's"
	case s.sentFinished && !s.gotFinished:
		return "no answer to Finished, often a certificate that the server does not accept"
	case s.gotFinished:
		return "the server's Finished cannot be decrypted, often a wrong key"
	}
	return "the server's flight has not arrived as a whole"
}

// flight is what a guard knows of the flight that it sends.
type flight struct {
	next      uint16 // one above the highest message_seq sent
	repeats   int    // repetitions of flights
	silent    bool   // the silence was reported
	refused   bool   // the network has refused a datagram
	refusedAt int    // repeats at that time
}

// answered says that the peer has answered the flight.
func (f *flight) answered() { f.silent, f.refused = false, false }

// isRepeated notes a plaintext handshake record that is sent, and reports whether it repeats a
// message.
func (f *flight) isRepeated(message []byte) bool {
	if len(message) < messageHead {
		return false
	}
	seq, offset := binary.BigEndian.Uint16(message[4:]), uint24(message[6:])
	if seq < f.next {
		return offset == 0
	}
	f.next = seq + 1
	return false
}

// noteRepeated reports the first repetition of a flight. A flight that was refused, or answered
// with an alert, is no silence. The caller holds g.mu.
func (g *guard) noteRepeated() {
	g.sentFlight.repeats++
	g.endContradicted()
	if g.sentFlight.silent || g.sentFlight.refused || g.alertWaiting != nil {
		return
	}
	g.sentFlight.silent = true
	if g.signs.silent != nil {
		g.signs.silent(g.seen)
	}
}

// networkRefused handles a refusal by the network, which may come from a server that is just
// restarting, or be forged. It reports whether the handshake ends: at a refusal of a repetition.
func (g *guard) networkRefused(err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := &g.sentFlight
	switch {
	case g.closed:
		return true
	case !f.refused:
		f.refused, f.refusedAt = true, f.repeats
		if g.signs.refused != nil {
			g.signs.refused(err)
		}
	case f.repeats > f.refusedAt:
		g.failure = err
		return true
	}
	return false
}

// waits reports whether a plaintext record is an alert that would end the handshake, and makes
// it wait: it is not authenticated. The caller holds g.mu.
func (g *guard) waits(h *header, record []byte) bool {
	if h.typ != typeAlert || g.signs.patience == 0 {
		return false
	}
	a := &socket.AlertError{
		Level: socket.AlertLevel(record[h.body]), Description: socket.Alert(record[h.body+1]), Received: true,
	}
	if a.Level != socket.AlertFatal && a.Description != socket.AlertCloseNotify {
		return false
	}
	if g.alertWaiting == nil {
		g.alertWaiting = bytes.Clone(record)
		g.alertTimer = time.AfterFunc(g.signs.patience, g.alertDue)
		g.signs.alert(a)
	}
	return true
}

// alertDue has ReadFrom return the alert that waits.
func (g *guard) alertDue() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alertWaiting == nil || g.closed {
		return
	}
	g.alertReady = true
	g.below.SetRecvDeadline(socket.NoWait())
}

// dropAlert drops an alert that waits: the handshake has got on, or has ended. The caller holds
// g.mu.
func (g *guard) dropAlert() {
	if g.alertWaiting == nil {
		return
	}
	g.alertTimer.Stop()
	g.alertWaiting = nil
	if g.alertReady {
		g.alertReady = false
		g.below.SetRecvDeadline(g.deadline)
	}
}

// takeAlert returns the alert that has waited, if its time has come. The caller holds g.mu.
func (g *guard) takeAlert() []byte {
	if !g.alertReady {
		return nil
	}
	record := g.alertWaiting
	g.renumber(record)
	g.dropAlert()
	return record
}

// isRefused reports whether the network has refused a datagram.
func isRefused(err error) bool { return errors.Is(err, socket.ErrRefused) }
