package socket

import "context"

type progressKey struct{}

// WithProgress returns a context whose Connect calls f with each early sign that the connection may
// fail, while it goes on trying. Without it a caller learns of them when Connect has returned,
// which may take minutes. The signs are
//
//   - an error that wraps [ErrRefused]: the network has refused a message for the first time,
//   - an [AlertError]: the peer has sent an alert that is not authenticated,
//   - an error that wraps [ErrTimeout]: a message of a handshake has no answer and was repeated.
//
// f may be called from any goroutine, must not block and must not call the socket. It is not called
// after Connect has returned. A socket need not report anything; it then just fails or succeeds.
func WithProgress(ctx context.Context, f func(err error)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

// ReportProgress calls the function of [WithProgress], if ctx has one. It is for implementations of
// Connect.
func ReportProgress(ctx context.Context, err error) {
	if f, _ := ctx.Value(progressKey{}).(func(error)); f != nil {
		f(err)
	}
}
