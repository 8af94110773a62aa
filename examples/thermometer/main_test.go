package main

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// cancelAt is a writer that calls stop when text has been written.
type cancelAt struct {
	bytes.Buffer
	text string
	stop func()
}

func (c *cancelAt) Write(p []byte) (int, error) {
	n, err := c.Buffer.Write(p)
	if strings.Contains(c.String(), c.text) {
		c.stop()
	}
	return n, err
}

// With -server the device prints at once that nobody answers, and then why it is not registered and
// when it tries again.
func TestServerThatRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	uri := "coap+tcp://" + l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	out := &cancelAt{text: "next attempt", stop: stop}
	if err := serve(ctx, out, "thermometer", lwm2m.Server{URI: uri}); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?s)device: an attempt may fail: no response yet: 127\.0\.0\.1:\d+ refuses connections\n` +
		`.*device: error at ` + regexp.QuoteMeta(uri) + `: .*refused.*; next attempt in 1m0s\n`)
	if !want.MatchString(out.String()) {
		t.Errorf("the output is\n%s", out.String())
	}
}

// The tour prints every operation with its result, in order.
func TestTour(t *testing.T) {
	var out bytes.Buffer
	if err := tour(context.Background(), &out, "thermometer"); err != nil {
		t.Fatal(err)
	}
	rest := out.String()
	for _, want := range []string{
		`device: registering`,
		`server: thermometer registered for 5m0s with LwM2M 1.2`,
		`read /3303/0/5700 +-> 2.05 2[0-2]`,
		`hardware: alarm below 5 and above 30`,
		`write /42769/0/1 = 30 +-> 2.04`,
		`device: refused a request: PUT /42769/0/1: .*the low limit 5 is not below the high limit 3`,
		`write /42769/0/1 = 3 +-> 4.00`,
		`device: refused .*the board refuses`,
		`write /42769/0/1 = 10 +-> 5.00`,
		`device: refused .*High Limit is 200, outside of -40..125`,
		`write /42769/0/1 = 200 +-> 4.00`,
		`read /42769/0/1 +-> 2.05 30`,
		`hardware: buzz, 3 time`,
		`execute .* -> 2.04`,
		`observe .* -> 2.05 2[0-2]`,
		`notification .* -> 2.05 2[0-2]`,
		`notification .* -> 2.05 2[0-2]`,
		`server: thermometer de-registered`,
	} {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("the rest of the output has no %q:\n%s\nthe whole output is:\n%s", want, rest, out.String())
		}
		rest = rest[at[1]:]
	}
	if n := strings.Count(out.String(), "hardware: alarm"); n != 2 {
		t.Errorf("the limits of the board were set %d times, want 2: by Add and by the accepted write", n)
	}
}
