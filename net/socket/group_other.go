//go:build !linux

package socket

// canPoll says that descriptors cannot be watched here.
const canPoll = false

// group is never made.
type group struct{}

func newGroup() (*group, error) { return nil, ErrNotSupported }

func (*group) add(Handle, func()) (func(), error) { return nil, ErrNotSupported }

func (*group) close() error { return nil }
