package sockettest

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func streamFaults() map[string]fault {
	stream := func(f func(p *port)) fault { return fault{kind: socket.Stream, socket: f} }
	return map[string]fault{
		"SmallReads": stream(func(p *port) { // loses what does not fit
			p.recv = func(b []byte) (int, error) {
				buf := make([]byte, 100)
				n, err := p.Socket.Recv(buf)
				return copy(b, buf[:n]), err
			}
		}),
		"EndOfStream": stream(func(p *port) {
			ended := false
			p.recv = func(b []byte) (int, error) {
				n, err := p.Socket.Recv(b)
				if errors.Is(err, io.EOF) {
					if ended {
						return 0, socket.ErrClosed
					}
					ended = true
				}
				return n, err
			}
		}),
		"PeerGone": stream(func(p *port) {
			p.send = func(b []byte) error {
				if err := p.Socket.Send(b); !errors.Is(err, socket.ErrReset) {
					return err
				}
				return nil
			}
		}),
		"LargeTransfer": stream(func(p *port) {
			total := 0
			p.send = func(b []byte) error {
				b = append([]byte(nil), b...)
				if total > 500_000 {
					b[0]++
				}
				err := p.Socket.Send(b)
				if err == nil {
					total += len(b)
				}
				return err
			}
		}),
		"SendDoesNotWait": stream(func(p *port) {
			p.send = func(b []byte) error {
				for {
					err := p.Socket.Send(b)
					if !errors.Is(err, socket.ErrBusy) {
						return err
					}
					select {
					case <-p.lab.release:
						return err
					case <-time.After(time.Millisecond):
					}
				}
			}
		}),
		"SendBusyAndClose": stream(func(p *port) {
			p.send = func(b []byte) error {
				err := p.Socket.Send(b)
				if errors.Is(err, socket.ErrBusy) {
					go func() { <-p.lab.release }()
				}
				return err
			}
		}),
		"Backlog": stream(func(p *port) { p.able.Backlog = noBacklog{} }),
	}
}

type noBacklog struct{}

func (noBacklog) SendBacklog() int { return 0 }

func failureFaults() map[string]fault {
	vague := func(p *port) {
		p.connect = func(ctx context.Context, remote socket.Endpoint) error {
			if p.Socket.Connect(ctx, remote) != nil {
				return errWrong
			}
			return nil
		}
	}
	return map[string]fault{
		"RefusedDatagram": {socket: func(p *port) {
			p.recv = func(b []byte) (int, error) {
				for {
					n, err := p.Socket.Recv(b)
					if !errors.Is(err, socket.ErrRefused) {
						return n, err
					}
				}
			}
		}},
		"RefusedDatagram/stale": {socket: func(p *port) {
			stale := false
			p.close = func() error {
				stale = true
				return p.Socket.Close()
			}
			p.recv = func(b []byte) (int, error) {
				if stale {
					stale = false
					return 0, socket.ErrRefused
				}
				return p.Socket.Recv(b)
			}
		}},
		"RefusedStream": {kind: socket.Stream, socket: vague},
		"ProgressOfRefusal": {kind: socket.Stream, socket: func(p *port) { // too late
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				time.AfterFunc(settle, func() { socket.ReportProgress(ctx, socket.ErrRefused) })
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"ProgressOfRefusal/vague": {kind: socket.Stream, socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				socket.ReportProgress(ctx, errWrong)
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"ProgressOfRefusal/nil": {kind: socket.Stream, socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				socket.ReportProgress(ctx, nil)
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"ProgressOfRefusal/kept to itself": {kind: socket.Stream, socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				err := p.Socket.Connect(ctx, remote)
				if err != nil {
					<-time.After(2 * soon)
				}
				return err
			}
		}},
		"ProgressOfSilence": {kind: socket.Stream, socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				socket.ReportProgress(ctx, socket.ErrRefused)
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"UnknownHost": {socket: vague},
		"ConnectIsCancelled": {kind: socket.Stream, socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				return p.Socket.Connect(context.WithoutCancel(ctx), remote)
			}
		}},
		"CloseEndsConnect": {kind: socket.Stream, socket: func(p *port) {
			var connecting atomic.Bool
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				connecting.Store(true)
				defer connecting.Store(false)
				return p.Socket.Connect(ctx, remote)
			}
			p.close = func() error {
				if connecting.Load() {
					return nil
				}
				return p.Socket.Close()
			}
		}},
	}
}
