package socket_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestSentinelsAreStandardErrorsToo(t *testing.T) {
	for _, c := range []struct{ err, also error }{
		{socket.ErrTimeout, os.ErrDeadlineExceeded},
		{socket.ErrClosed, net.ErrClosed},
		{&socket.SizeError{Size: 2, Limit: 1}, socket.ErrMessageTooLong},
	} {
		if err := fmt.Errorf("recv: %w", c.err); !errors.Is(err, c.also) {
			t.Errorf("%v is not %v", err, c.also)
		}
	}
	if errors.Is(socket.ErrTimeout, socket.ErrClosed) || errors.Is(socket.ErrClosed, os.ErrDeadlineExceeded) {
		t.Error("ErrTimeout and ErrClosed are mixed up")
	}
	var ne net.Error
	if !errors.As(socket.ErrTimeout, &ne) || !ne.Timeout() {
		t.Error("ErrTimeout is no net.Error that is a time-out")
	}
	if errors.As(socket.ErrClosed, &ne) && ne.Timeout() {
		t.Error("ErrClosed is a time-out")
	}
}

func TestSizeErrorNamesBothSizes(t *testing.T) {
	if s := (&socket.SizeError{Size: 70000, Limit: 65507}).Error(); !strings.Contains(s, "70000") || !strings.Contains(s, "65507") {
		t.Error(s)
	}
}

func TestAlertError(t *testing.T) {
	cause := errors.New("not trusted")
	err := fmt.Errorf("handshake: %w", &socket.AlertError{
		Level: socket.AlertFatal, Description: socket.AlertUnknownCA, Received: true, Err: cause,
	})
	if !errors.Is(err, &socket.AlertError{Description: socket.AlertUnknownCA}) {
		t.Error("the description alone does not match")
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is hidden")
	}
	for _, other := range []*socket.AlertError{
		{Description: socket.AlertBadCertificate},
		{Description: socket.AlertUnknownCA, Level: socket.AlertWarning},
	} {
		if errors.Is(err, other) {
			t.Errorf("matches %v", other)
		}
	}
	if s := err.Error(); s != "handshake: peer sent alert unknown_ca (48): not trusted" {
		t.Error(s)
	}
	if s := socket.Alert(200).String(); s != "unknown (200)" {
		t.Error(s)
	}
}

// TestAlertNames: the names of the alerts differ.
func TestAlertNames(t *testing.T) {
	seen := make(map[string]int)
	for i := range 256 {
		name, _, _ := strings.Cut(socket.Alert(i).String(), " ")
		if name == "unknown" {
			continue
		}
		if j, dup := seen[name]; dup {
			t.Errorf("%s is both %d and %d", name, j, i)
		}
		seen[name] = i
	}
	if len(seen) != 28 {
		t.Errorf("%d alerts have names", len(seen))
	}
}
