package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestDemonstration(t *testing.T) {
	var out bytes.Buffer
	if err := demonstrate(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	rest := out.String()
	for _, want := range []string{
		"loop: registered", "server: observes /3347/0/5501: 2.05 0",
		"loop: the button is pressed", "notified of /3347/0/5501: 2.05 1",
		"notified of /3347/0/5501: 2.05 2", "notified of /3347/0/5501: 2.05 3",
		"loop: de-registered",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("the rest of the output has no %q:\n%s\nthe whole output is:\n%s", want, rest, out.String())
		}
		rest = after
	}
}
