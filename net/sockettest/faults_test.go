package sockettest

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// fault is one way to break a port.
type fault struct {
	kind    socket.Kind
	socket  func(p *port)
	config  func(c *socket.Config)
	rig     func(r *Rig)
	lacking string // why the good port cannot run the check
}

var errWrong = errors.New("wrong")

// faults returns a fault for every check, by the name of the check. The name of a further fault has
// a suffix after a slash.
func faults() map[string]fault {
	all := make(map[string]fault)
	for _, part := range []map[string]fault{basicFaults(), deadlineFaults(), datagramFaults(), streamFaults(), failureFaults(), addressFaults(), abilityFaults()} {
		for name, f := range part {
			all[name] = f
		}
	}
	return all
}

func basicFaults() map[string]fault {
	return map[string]fault{
		"NewSocketIsClosed": {socket: func(p *port) { p.state = func() socket.State { return socket.StateConnected } }},
		"Connect":           {socket: func(p *port) { p.mtu = func() int { return p.Socket.InnerMTU() + 1 } }},
		"ConnectTwice": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				if p.State().Open() {
					return nil
				}
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"ConnectWithEndedContext": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				return p.Socket.Connect(context.WithoutCancel(ctx), remote)
			}
		}},
		"Echo": {socket: func(p *port) {
			p.send = func(b []byte) error {
				b = append([]byte(nil), b...)
				if len(b) > 500 {
					b[len(b)-1]++
				}
				return p.Socket.Send(b)
			}
		}},
		"SendKeepsNothing": {socket: func(p *port) {
			p.send = func(b []byte) error {
				time.AfterFunc(time.Millisecond, func() { _ = p.Socket.Send(b) })
				return nil
			}
		}},
		"CloseTwice": {socket: func(p *port) {
			p.close = func() error {
				if !p.State().Open() {
					return errWrong
				}
				return p.Socket.Close()
			}
		}},
		"ClosedSocket": {socket: func(p *port) {
			p.send = func(b []byte) error {
				_ = p.Socket.Send(b)
				return nil
			}
		}},
		"CloseWakesRecv": {socket: func(p *port) {
			p.recv = func(b []byte) (int, error) {
				n, err := p.Socket.Recv(b)
				if errors.Is(err, socket.ErrClosed) {
					<-p.lab.release
				}
				return n, err
			}
		}},
		"Reconnect": {socket: func(p *port) {
			used := false
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				if used {
					return errWrong
				}
				used = true
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"CloseDropsData": {socket: func(p *port) {
			var saved []byte
			p.close = func() error {
				buf := make([]byte, 100)
				p.Socket.SetRecvDeadline(socket.NoWait())
				if n, err := p.Socket.Recv(buf); err == nil {
					saved = buf[:n]
				}
				return p.Socket.Close()
			}
			p.recv = func(b []byte) (int, error) {
				if len(saved) > 0 {
					n := copy(b, saved)
					saved = nil
					return n, nil
				}
				return p.Socket.Recv(b)
			}
		}},
		"ConcurrentUse": {socket: func(p *port) {
			turn := make(chan struct{}, 1)
			p.send = func(b []byte) error {
				turn <- struct{}{}
				defer func() { <-turn }()
				return p.Socket.Send(b)
			}
			p.recv = func(b []byte) (int, error) {
				turn <- struct{}{}
				defer func() { <-turn }()
				return p.Socket.Recv(b)
			}
		}},
		"CloseBesideOthers": {socket: func(p *port) { // Send waits for a connection
			p.send = func(b []byte) error {
				if !p.State().Open() {
					<-p.lab.release
				}
				return p.Socket.Send(b)
			}
		}},
		"NoGoroutineLeft": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				go func() { <-p.lab.release }()
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"NoDescriptorLeft": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				f, err := os.Open(os.DevNull)
				if err != nil {
					return err
				}
				go func() {
					<-p.lab.release
					_ = f.Close()
				}()
				return p.Socket.Connect(ctx, remote)
			}
		}, lacking: descriptorsListed(nil, 0, socket.Abilities{})},
		"SecretsAreHidden": {socket: func(p *port) { p.Key = []byte("hunter2") }},
	}
}

func deadlineFaults() map[string]fault {
	return map[string]fault{
		"NoWait": {socket: func(p *port) {
			p.deadline = func(t time.Time) {
				if !t.IsZero() && t.Before(time.Now()) {
					t = time.Now().Add(2 * soon)
				}
				p.Socket.SetRecvDeadline(t)
			}
		}},
		"Deadline": {socket: func(p *port) {
			p.deadline = func(t time.Time) {
				if !t.IsZero() {
					t = socket.NoWait()
				}
				p.Socket.SetRecvDeadline(t)
			}
		}},
		"DeadlinePassesLater": {socket: func(p *port) { // as net.Conn
			var last atomic.Pointer[time.Time]
			p.deadline = func(t time.Time) {
				last.Store(&t)
				p.Socket.SetRecvDeadline(t)
			}
			p.recv = func(b []byte) (int, error) {
				if t := last.Load(); t != nil && !t.IsZero() && !t.After(time.Now()) {
					return 0, socket.ErrTimeout
				}
				return p.Socket.Recv(b)
			}
		}},
		"DeadlineWakesRecv": {socket: func(p *port) { // applies to the next Recv only
			var next atomic.Pointer[time.Time]
			p.deadline = func(t time.Time) { next.Store(&t) }
			p.recv = func(b []byte) (int, error) {
				if t := next.Swap(nil); t != nil {
					p.Socket.SetRecvDeadline(*t)
				}
				return p.Socket.Recv(b)
			}
		}},
		// A pending Recv is only ever shortened.
		"DeadlineMovesPendingRecv": {socket: func(p *port) {
			var pending atomic.Bool
			var last atomic.Pointer[time.Time]
			p.deadline = func(t time.Time) {
				if old := last.Swap(&t); pending.Load() && old != nil && !old.IsZero() && t.After(*old) {
					return
				}
				p.Socket.SetRecvDeadline(t)
			}
			p.recv = func(b []byte) (int, error) {
				pending.Store(true)
				defer pending.Store(false)
				return p.Socket.Recv(b)
			}
		}},
		"DeadlineIsKept": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				p.Socket.SetRecvDeadline(time.Time{})
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"NoDeadlineAtFirst": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				p.Socket.SetRecvDeadline(time.Now().Add(settle))
				return p.Socket.Connect(ctx, remote)
			}
		}},
	}
}

func datagramFaults() map[string]fault {
	return map[string]fault{
		"Boundaries": {socket: func(p *port) { // runs datagrams together
			p.recv = func(b []byte) (int, error) {
				n, err := p.Socket.Recv(b)
				if err == nil {
					p.Socket.SetRecvDeadline(socket.NoWait())
					more, _ := p.Socket.Recv(b[n:])
					n += more
				}
				return n, err
			}
		}},
		"EmptyDatagram": {socket: func(p *port) {
			p.send = func(b []byte) error {
				if len(b) == 0 {
					return nil
				}
				return p.Socket.Send(b)
			}
		}},
		"TruncationIsVisible": {socket: func(p *port) {
			p.recv = func(b []byte) (int, error) {
				n, err := p.Socket.Recv(b)
				if errors.Is(err, socket.ErrMessageTooLong) {
					err = nil
				}
				return n, err
			}
		}},
		"TooLongToSend": {socket: func(p *port) {
			p.send = func(b []byte) error { return p.Socket.Send(b[:min(len(b), p.InnerMTU())]) }
		}},
		"StrangersAreDropped": {socket: func(p *port) { // is bound, and not connected
			p.recv = func(b []byte) (int, error) {
				select {
				case forged := <-p.lab.forged:
					return copy(b, forged), nil
				default:
					return p.Socket.Recv(b)
				}
			}
		}},
		"ManyDatagrams": {socket: func(p *port) {
			count := 0
			p.send = func(b []byte) error {
				if count++; count%150 == 0 {
					return nil
				}
				return p.Socket.Send(b)
			}
		}},
	}
}
