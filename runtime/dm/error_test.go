package dm_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestErrorText(t *testing.T) {
	p := dm.ResourcePath(3, 0, 16)
	tests := []struct {
		err  error
		want string
	}{
		{&dm.Error{}, "5.00 Internal Server Error"},
		{&dm.Error{Code: dm.NotFound}, "4.04 Not Found"},
		{&dm.Error{Code: dm.MethodNotAllowed, Path: p, Err: errors.New("read-only")},
			"/3/0/16: read-only"},
		{dm.Errorf(dm.BadRequest, "at most %d", 5), "at most 5"},
		// What the cause repeats is not printed again.
		{&dm.Error{Code: dm.NotFound, Path: p, Err: dm.NotFound}, "/3/0/16: 4.04 Not Found"},
		{&dm.Error{Code: dm.NotFound, Path: p, Err: dm.Errorf(dm.NotFound, "gone")}, "/3/0/16: gone"},
		{&dm.Error{Code: dm.NotAcceptable, Path: p, Err: dm.Errorf(dm.NotFound, "gone")},
			"/3/0/16: gone"},
		{&dm.Error{Code: dm.NotAcceptable, Path: p, Err: &dm.Error{Code: dm.BadRequest, Path: p, Err: errors.New("gone")}},
			"/3/0/16: gone"},
		{&dm.Error{Code: dm.NotAcceptable, Path: p, Err: dm.NotFound}, "/3/0/16: 4.04 Not Found"},
		{dm.NotFound, "4.04 Not Found"},
		{dm.Code(0), "0.00"},
		{dm.Code(255), "7.31"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want dm.Code
	}{
		{nil, 0},
		{io.EOF, dm.InternalServerError},
		{dm.Forbidden, dm.Forbidden},
		{fmt.Errorf("wrapped: %w", dm.Forbidden), dm.Forbidden},
		{dm.Errorf(dm.Conflict, "x: %w", dm.Forbidden), dm.Conflict},
		{&dm.Error{Err: dm.Forbidden}, dm.Forbidden},
		{&dm.Error{}, dm.InternalServerError},
		{&dm.Error{Err: io.EOF}, dm.InternalServerError},
		{dm.Code(0), dm.InternalServerError},
		{dm.ErrNoValue, dm.NotFound},
		{fmt.Errorf("wrapped: %w", dm.ErrNoValue), dm.NotFound},
		{dm.ErrBusy, dm.ServiceUnavailable},
		{dm.ErrInTransaction, dm.InternalServerError},
		{errors.Join(io.EOF, dm.Forbidden), dm.Forbidden},
	} {
		if got := dm.CodeOf(test.err); got != test.want {
			t.Errorf("the code of %v is %v, want %v", test.err, got, test.want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", &dm.Error{Code: dm.NotFound, Err: io.EOF})
	if !errors.Is(err, dm.NotFound) || !errors.Is(err, io.EOF) || errors.Is(err, dm.Conflict) {
		t.Errorf("errors.Is is wrong for %v", err)
	}
	if !errors.Is(&dm.Error{}, dm.InternalServerError) {
		t.Error("an Error without a code is not 5.00")
	}
}

// The values are those of CoAP (RFC 7252 §12.1.2).
func TestCodesAreCoAP(t *testing.T) {
	for code, want := range map[dm.Code]string{
		0x80: "4.00 Bad Request", 0x81: "4.01 Unauthorized", 0x82: "4.02 Bad Option", 0x83: "4.03 Forbidden",
		0x84: "4.04 Not Found",
		0x85: "4.05 Method Not Allowed", 0x86: "4.06 Not Acceptable", 0x88: "4.08 Request Entity Incomplete",
		0x89: "4.09 Conflict",
		0x8c: "4.12 Precondition Failed", 0x8d: "4.13 Request Entity Too Large",
		0x8f: "4.15 Unsupported Content-Format",
		0xa0: "5.00 Internal Server Error", 0xa1: "5.01 Not Implemented", 0xa2: "5.02 Bad Gateway",
		0xa3: "5.03 Service Unavailable", 0xa4: "5.04 Gateway Timeout",
	} {
		if got := code.Error(); got != want {
			t.Errorf("the code %#x is %q, want %q", uint8(code), got, want)
		}
	}
}
