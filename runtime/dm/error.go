package dm

import (
	"errors"
	"fmt"
)

// errUnsupported is what reading a cell returns that its instance does not support.
var errUnsupported = &Error{Code: NotFound, Err: errors.New("the instance does not support the resource")}

// Sentinel errors, for errors.Is.
var (
	// ErrNoValue is returned by the function of a live resource that has no value at the moment.
	// Reads of the instance leave the resource out; a read of the resource alone is answered 4.04.
	// A Float that is NaN or infinite counts as no value.
	ErrNoValue = errors.New("no value at the moment")
	// ErrInTransaction reports a write from inside a hook of the same Model, the function of an
	// Update, Persist, a subscriber or a Sink, which would wait for itself. The text of the error
	// says what to do instead.
	ErrInTransaction = errors.New("a transaction of this model is running here already")
	// ErrSlow reports that a function marked as slow was reached under RefuseSlow. Only runtimes
	// receive it.
	ErrSlow = errors.New("the function is slow and must run on a worker")
	// ErrBusy reports that another transaction held the Model for too long, or that waiting for it
	// on the loop would never have ended.
	ErrBusy = errors.New("another transaction holds the model")
	// ErrMandatory reports an instance without the values of mandatory resources. The text of the
	// error names them.
	ErrMandatory = errors.New("mandatory resources are missing")
	// ErrDone reports that the transaction is already committed or rolled back.
	ErrDone = errors.New("the transaction is over")
)

// Error is a failed operation: the code that the server is answered, the node, and the cause. Calls
// of the program fail with it, too. The text is for the programmer and stays on the device;
// errors.Is and CodeOf find the code.
type Error struct {
	// Code is what the server is answered. The zero value means 5.00.
	Code Code
	// Path is the node that failed. The zero value means that the error concerns no particular
	// node.
	Path Path
	// Err is the cause. The zero value means that Code and Path say everything.
	Err error
}

// Error returns the path and the cause, such as "/3/0/16: SupportedBindingAndModes cannot be
// written". The code, which is for servers, is part of the text only if there is no cause; CodeOf
// returns it.
func (e *Error) Error() string {
	text := ""
	if err := e.detail(); err != nil {
		text = err.Error()
	} else {
		text = e.code().Error()
	}
	if e.Path.IsRoot() {
		return text
	}
	return e.Path.String() + ": " + text
}

// detail returns the cause without a leading Code or path that repeats e.
func (e *Error) detail() error {
	switch c := e.Err.(type) {
	case *Error:
		if c.Path.IsRoot() || c.Path == e.Path {
			return c.detail()
		}
	case Code:
		if c == e.code() {
			return nil
		}
	}
	return e.Err
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.code()
}

func (e *Error) code() Code {
	if e.Code == 0 {
		return InternalServerError
	}
	return e.Code
}

// Errorf returns an *Error with the given code. The cause is formatted as by fmt.Errorf. Hooks and
// functions return it to choose what the server is answered.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf returns the code that a server is answered for err: that of the first *Error or Code in
// its tree, 4.04 for ErrNoValue, 5.03 for ErrBusy, and 5.00 for any other error. CodeOf(nil) is 0.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		if e.Code == 0 && e.Err != nil {
			return CodeOf(e.Err)
		}
		return e.code()
	}
	var c Code
	if errors.As(err, &c) && c != 0 {
		return c
	}
	switch {
	case errors.Is(err, ErrNoValue):
		return NotFound
	case errors.Is(err, ErrBusy):
		return ServiceUnavailable
	}
	return InternalServerError
}

// withPath returns err as an *Error with the path p, or err itself if it already has a path.
// errors.Is finds err in the result.
func withPath(p Path, err error) error {
	var e *Error
	if errors.As(err, &e) && !e.Path.IsRoot() {
		return err
	}
	return &Error{Code: CodeOf(err), Path: p, Err: err}
}

// fail returns an *Error for p.
func fail(code Code, p Path, format string, args ...any) error {
	return &Error{Code: code, Path: p, Err: fmt.Errorf(format, args...)}
}
