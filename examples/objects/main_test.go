package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
)

func TestOutput(t *testing.T) {
	want, err := os.ReadFile("testdata/output.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := run(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.Bytes(), want)
	}
}

// The hooks of the set point pass the kit, which makes every step of a transaction fail.
func TestSetPoint(t *testing.T) {
	b := &boiler{goal: 21}
	goals, err := newSetPoint(b, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	err = goals.Add(0, setpoint.Instance{
		SetPointValue:   dm.Func(func(context.Context) (float64, error) { return b.goal, nil }),
		SensorUnits:     dm.Str("Cel"),
		ApplicationType: dm.Empty[string](),
	})
	if err != nil {
		t.Fatal(err)
	}
	dmtest.Object(t, goals)
}
