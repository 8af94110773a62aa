package main

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// The program prints what is measured, and what of it the server learns, in this order.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, &out); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	const want = `observe /3303/0/5700 above 25 and below 18:
measured 22
measured 24
measured 26
notified of /3303/0/5700 = 26, now
an outage:
measured 27
measured 21
stored: 1
measured 23
measured 16
stored: 2
notified of /3303/0/5700 = 21, 0s ago
notified of /3303/0/5700 = 16, 0s ago
observe /3303/0/5700 and /3303/0/5750 together:
measured 19
notified of /3303/0/5700 = 19, now
notified of /3303/0/5750 = hall, now
send a history:
the Send is acknowledged with 4 values; 0 are left in the history
left out: /3303/1/5700: the object has no such instance
the server got /3303/0/5750 = hall, now
the server got /3303/0/5700 = 18, 3m0s ago
the server got /3303/0/5700 = 18.5, 2m0s ago
the server got /3303/0/5700 = 19, 1m0s ago
`
	if got := out.String(); got != want {
		t.Errorf("the program prints\n%s\nwant\n%s", got, want)
	}
}
