package coap

import "errors"

// Outcomes of requests, transfers and notifications, to be compared with
// errors.Is.
var (
	// ErrTimeout: the peer did not answer, or not acknowledge, in time.
	ErrTimeout = errors.New("coap: no answer in time")
	// ErrReset: the peer rejected the message (RFC 7252 §4.2).
	ErrReset = errors.New("coap: rejected by the peer")
	// ErrClosed: the connection was closed.
	ErrClosed = errors.New("coap: connection closed")
	// ErrCancelled: the caller gave the request up.
	ErrCancelled = errors.New("coap: cancelled")
	// ErrTooLarge: a body is larger than allowed.
	ErrTooLarge = errors.New("coap: body too large")
	// ErrChanged: the resource changed while its blocks were fetched.
	ErrChanged = errors.New("coap: the resource changed during the transfer")
	// ErrTransfer: the peer does not keep to the rules of block-wise transfer.
	ErrTransfer = errors.New("coap: block-wise transfer out of step")
	// ErrBadOption: a response has a critical option that is not understood.
	ErrBadOption = errors.New("coap: response with an unknown critical option")
	// ErrAnswered: the request has been answered already.
	ErrAnswered = errors.New("coap: answered already")
	// ErrBusy: too much is queued for this peer.
	ErrBusy = errors.New("coap: too many messages queued")
	// ErrSuperseded: a newer notification took the place of this one.
	ErrSuperseded = errors.New("coap: superseded by a newer notification")
	// ErrIdle: the peer did not go on with a block-wise transfer, or its memory
	// was needed for others.
	ErrIdle = errors.New("coap: block-wise transfer abandoned")
	// ErrReleased: the peer asked to end the connection (RFC 8323 §5.5).
	ErrReleased = errors.New("coap: released by the peer")
	// ErrAborted: the peer ended the connection because of an error (RFC 8323 §5.6).
	ErrAborted = errors.New("coap: aborted by the peer")
	// ErrUsage: a call that is never right, such as an answer with the code of a
	// request. The text of the error that wraps it says what.
	ErrUsage = errors.New("coap: wrong use")
)

// An Error is an error with the code a request is answered with. A [Sink] or
// [Source] returns one to choose the code; other errors are answered 5.00.
type Error struct {
	Code Code
	Err  error // may be nil; its text stays on this side
}

// Error names the code and what Err says.
func (e *Error) Error() string {
	if e.Err == nil {
		return "coap: " + e.Code.String()
	}
	return "coap: " + e.Code.String() + ": " + e.Err.Error()
}

// Unwrap is Err.
func (e *Error) Unwrap() error { return e.Err }

// codeOf is the code to answer err with.
func codeOf(err error) Code {
	var coded *Error
	if errors.As(err, &coded) && coded.Code.IsError() {
		return coded.Code
	}
	return InternalServerError
}

func isTimeout(err error) bool { return errors.Is(err, ErrTimeout) }
