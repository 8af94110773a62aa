package dm

import (
	"errors"
	"fmt"
)

// Sentinel errors, for errors.Is.
var (
	// ErrNoValue, returned by the function of a live resource, says that there is no value at the
	// moment: reads of an instance leave the resource out, a read of it alone is 4.04. A Float that is
	// NaN or infinite counts as this.
	ErrNoValue = errors.New("no value at the moment")
	// ErrInTransaction says that a write was tried from inside a hook or an Update of the same
	// Model. Let the hook finish first.
	ErrInTransaction = errors.New("a transaction of this model is running here already")
	// ErrSlow says that a function marked as slow was reached where it must not run. See RefuseSlow.
	ErrSlow = errors.New("the function is slow and must run on a worker")
	// ErrBusy says that another transaction held the Model for too long, or at all where waiting for
	// it on the loop would have been for ever.
	ErrBusy = errors.New("another transaction holds the model")
	// ErrDone says that the transaction is committed or rolled back already.
	ErrDone = errors.New("the transaction is over")
)

// Error is a failed operation: the code that the server is answered, the node that it concerns, and
// the cause. The cause's text stays on the device.
type Error struct {
	// Code is what the server is answered. Zero reads as 5.00.
	Code Code
	// Path is the node that the error concerns. The root means that it concerns none in particular.
	Path Path
	// Err is the cause. Nil means that Code and Path say it all.
	Err error
}

// Error returns path, code and cause, as in "/3/0/16: 4.05 Method Not Allowed: read-only".
func (e *Error) Error() string {
	s := e.code().Error()
	if !e.Path.IsRoot() {
		s = e.Path.String() + ": " + s
	}
	if err := e.detail(); err != nil {
		s += ": " + err.Error()
	}
	return s
}

// detail returns the cause without a Code or *Error at its head that says nothing new.
func (e *Error) detail() error {
	switch c := e.Err.(type) {
	case *Error:
		if c.Path.IsRoot() && c.code() == e.code() {
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

// Errorf returns an *Error with the given code; its cause is formatted as by fmt.Errorf. Hooks and
// functions return it to say what the server is answered.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf returns the code that err means for the server: that of the first *Error or Code in its
// tree, 4.04 for ErrNoValue, 5.03 for ErrBusy, and 5.00 for any other. CodeOf(nil) is 0.
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

// at returns err as an *Error that names p, unless it names a node already. errors.Is finds err in it.
func at(p Path, err error) error {
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
