package main

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// The program prints each step of the bootstrap, and what each server may do afterwards.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, &out); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	const want = `the device asks: POST /bs?ep=sensor-1&pct=112
bootstrap server: GET /: 2.05 </>;lwm2m=1.2,</0/0>,</1>,</2>,</3/0>,</3303>;ver=1.1,</3303/0>
bootstrap server: PUT /0/1: 2.04
bootstrap server: PUT /1/1: 2.04
bootstrap server: PUT /0/2: 2.04
bootstrap server: PUT /1/2: 2.04
bootstrap server: PUT /2/0: 2.04
bootstrap server: PUT /2/1: 2.04
bootstrap server: PUT /2/2: 2.04
bootstrap server: PUT /2/3: 2.04
bootstrap server: POST /bs: 2.04
server 1: the device is registered
server 1: Read /3303/0/5700: 2.05 20.5
server 1: Write /3303/0/5750: 2.04
server 2: the device is registered
server 2: Read /3303/0/5700: 2.05 20.5
server 2: Write /3303/0/5750: 4.01
`
	if got := out.String(); got != want {
		t.Errorf("the program prints\n%s\nwant\n%s", got, want)
	}
}
