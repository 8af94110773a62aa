package socket

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// canPoll says that this system can watch descriptors.
const canPoll = true

// epollET is EPOLLET, which package syscall declares with a sign.
const epollET = 1 << 31

// group watches descriptors with epoll. The Go runtime watches the epoll descriptor itself, so that
// no thread waits in a system call.
type group struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{} // closed when the goroutine has ended

	mu    sync.Mutex
	last  uint64
	ready map[uint64]func() // by token
}

func newGroup() (*group, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), syscall.Close(fd))
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	g := &group{file: file, raw: raw, done: make(chan struct{}), ready: make(map[uint64]func())}
	go g.run()
	return g, nil
}

// mostEvents is how many sockets one system call can report.
const mostEvents = 64

// run calls the functions of descriptors that have become readable, until the group is closed.
func (g *group) run() {
	defer close(g.done)
	events := make([]syscall.EpollEvent, mostEvents)
	var n int
	var failed error
	wait := func(fd uintptr) bool {
		n, failed = syscall.EpollWait(int(fd), events, 0)
		return n != 0
	}
	for {
		if err := g.raw.Read(wait); err != nil || failed != nil && !errors.Is(failed, syscall.EINTR) {
			return
		}
		for _, e := range events[:max(n, 0)] {
			g.mu.Lock()
			ready := g.ready[token(e)]
			g.mu.Unlock()
			if ready != nil {
				ready()
			}
		}
	}
}

// token returns the token of the socket that an event is about. Unlike the number of a descriptor,
// a token is never used again.
func token(e syscall.EpollEvent) uint64 { return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32 }

// add watches the descriptor of h and returns the function that stops that.
func (g *group) add(h Handle, ready func()) (remove func(), err error) {
	g.mu.Lock()
	g.last++
	t := g.last
	g.ready[t] = ready
	g.mu.Unlock()
	forget := func() {
		g.mu.Lock()
		delete(g.ready, t)
		g.mu.Unlock()
	}
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | epollET, Fd: int32(uint32(t)),
		Pad: int32(uint32(t >> 32))}
	if err := g.control(h, syscall.EPOLL_CTL_ADD, &e); err != nil {
		forget()
		return nil, fmt.Errorf("watch a socket: %w", err)
	}
	return func() {
		forget()
		// Fails if the descriptor or the group is closed, and then it is not watched.
		_ = g.control(h, syscall.EPOLL_CTL_DEL, &e)
	}, nil
}

func (g *group) control(h Handle, op int, e *syscall.EpollEvent) error {
	var handle, ctl error
	err := g.raw.Control(func(epoll uintptr) {
		handle = h.SystemHandle(func(fd uintptr) {
			ctl = os.NewSyscallError("epoll_ctl", syscall.EpollCtl(int(epoll), op, int(fd), e))
		})
	})
	return errors.Join(err, handle, ctl)
}

func (g *group) close() error {
	err := g.file.Close()
	<-g.done
	return err
}
