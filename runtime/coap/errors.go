package coap

import "errors"

// Outcomes of requests, transfers and notifications. Compare them with errors.Is.
var (
	// ErrTimeout: the peer did not answer or acknowledge in time.
	ErrTimeout = errors.New("coap: no answer in time")
	// ErrReset: the peer rejected the message (RFC 7252 §4.2).
	ErrReset = errors.New("coap: rejected by the peer")
	// ErrClosed: the connection was closed.
	ErrClosed = errors.New("coap: connection closed")
	// ErrCancelled: the caller cancelled the request.
	ErrCancelled = errors.New("coap: cancelled")
	// ErrTooLarge: a body is larger than allowed.
	ErrTooLarge = errors.New("coap: body too large")
	// ErrChanged: the resource changed while its blocks were fetched.
	ErrChanged = errors.New("coap: the resource changed during the transfer")
	// ErrTransfer: the peer violated the rules of block-wise transfer.
	ErrTransfer = errors.New("coap: unexpected block from the peer")
	// ErrBadOption: a response has an unknown critical option.
	ErrBadOption = errors.New("coap: response with an unknown critical option")
	// ErrAnswered: the request has already been answered.
	ErrAnswered = errors.New("coap: already answered")
	// ErrBusy: too much is queued for this peer.
	ErrBusy = errors.New("coap: too many messages queued")
	// ErrSuperseded: a newer notification replaced this one.
	ErrSuperseded = errors.New("coap: superseded by a newer notification")
	// ErrIdle: the peer did not continue a block-wise transfer, or its memory was needed for
	// other transfers.
	ErrIdle = errors.New("coap: block-wise transfer abandoned")
	// ErrReleased: the peer asked to end the connection (RFC 8323 §5.5).
	ErrReleased = errors.New("coap: released by the peer")
	// ErrAborted: the peer ended the connection because of an error (RFC 8323 §5.6).
	ErrAborted = errors.New("coap: aborted by the peer")
	// ErrUsage: a call that is never valid, such as an answer with the code of a request. The
	// text of the error that wraps it says what is wrong.
	ErrUsage = errors.New("coap: wrong use")
)

// An Error is an error with the code that a request is answered with. A [Sink], a [Source] or a
// [Layer] returns one to choose the code.
type Error struct {
	Code Code
	Err  error // the cause, or nil; it is not sent to the peer
}

// Error is the code and the text of Err.
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
