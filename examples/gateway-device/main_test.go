package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain runs the device instead of the tests if the environment says so, as main does.
func TestMain(m *testing.M) {
	if os.Getenv(deviceEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The program tells which life registers, and why.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, &out); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	lives := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	for i, want := range [][]string{
		{
			"leaves the factory", "device: the device is provisioned", "bootstrap server: it has written",
			"server 1: POST /rd?ep=gateway-1", "server 1: Write 22.5 to /3308/0/5900: 2.04",
			"server 2: POST /rd?ep=gateway-1", "server 2: Write 22.5 to /3308/0/5900: 4.01",
		}, {
			"stopped in order", "device: the device goes on with its registration",
			"device: server 1: updating, connection ID resumed", "\nserver 1: POST /rd/", "server 1: Read /3308/0/5900: 2.05 22.5",
		}, {
			"is killed", "device: the device registers again: the last client was killed",
			"device: server 1: registering, new session", "\nserver 1: POST /rd\n", "server 1: Read /3308/0/5900: 2.05 22.5",
			"server 2: Read /3308/0/5900: 2.05 22.5",
		}, {
			"turns its receiver off", "device: server 1: asleep", "server 1: the device is asleep", "server 1: Read /3/0/0: 2.05 Example",
		},
	} {
		if i >= len(lives) {
			t.Fatalf("the program tells of %d lives:\n%s", len(lives), out.String())
		}
		for _, line := range want {
			if !strings.Contains(lives[i], line) {
				t.Errorf("the program does not print %q in\n%s", line, lives[i])
			}
		}
	}
}
