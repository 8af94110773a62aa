package leshan_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const endpoint = "thermometer-under-test"

// startThermometer runs the example, which registers at the server. stop interrupts it, as a user
// does, and waits for its end.
func startThermometer(t *testing.T, uri string) (stop func()) {
	bin := filepath.Join(t.TempDir(), "thermometer")
	build := exec.Command("go", "build", "-o", bin, "github.com/lwm2mgen/toolkit/examples/thermometer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	device := exec.Command(bin, "-server", uri, "-endpoint", endpoint)
	var out strings.Builder
	device.Stdout, device.Stderr = &out, &out
	if err := device.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = device.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(patience, func() { _ = device.Process.Kill() })
		defer kill.Stop()
		if err := device.Wait(); err != nil {
			t.Errorf("the thermometer: %v\n%s", err, out.String())
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestThermometer(t *testing.T) {
	p := startPeer(t, "../../objects-xml", "../../examples/thermometer")
	stop := startThermometer(t, p.uri)
	reg := p.event(t, "registered", patience)
	// Leshan speaks LwM2M 1.0 and 1.1. It answered the first Register, of version 1.2, with 4.12.
	if reg.Endpoint != endpoint || reg.Version != "1.1" || reg.Lifetime != 300 {
		t.Errorf("registered: %+v", reg)
	}
	for _, link := range []string{"</3/0>", "</1/0>", "</3303/0>", "</42769/0>"} {
		if !strings.Contains(reg.Links, link) {
			t.Errorf("the object list has no %s: %s", link, reg.Links)
		}
	}
	for _, f := range []string{"TLV", "SENML_JSON", "SENML_CBOR"} {
		t.Run(f, func(t *testing.T) { operations(t, p, f) })
	}
	t.Run("single values", func(t *testing.T) { singleValues(t, p) })
	t.Run("composites", func(t *testing.T) { composites(t, p) })
	t.Run("attributes", func(t *testing.T) { attributes(t, p) })
	stop()
	if gone := p.event(t, "deregistered", patience); gone.Endpoint != endpoint {
		t.Errorf("deregistered: %+v", gone)
	}
}

type command = map[string]any

// expect performs a command and checks the response code.
func expect(t *testing.T, p *peer, code string, c command) message {
	t.Helper()
	m := p.do(t, c)
	if m.code() != code {
		t.Errorf("%v: %s %s, want %s", c, m.code(), m.Message, code)
	}
	return m
}

// operations performs every operation that has a payload, in one format.
func operations(t *testing.T, p *peer, f string) {
	m := expect(t, p, "205", command{"op": "read", "path": "/3303/0", "format": f})
	if v := m.Values["/5701"]; v != "Cel" {
		t.Errorf("/3303/0/5701 is %q in %v", v, m.Values)
	}
	m = expect(t, p, "205", command{"op": "read", "path": "/3303", "format": f})
	if v := m.Values["/0/5701"]; v != "Cel" {
		t.Errorf("/3303/0/5701 is %q in %v", v, m.Values)
	}
	m = expect(t, p, "205", command{"op": "read", "path": "/3303/0/5701", "format": f})
	if v := m.Values[""]; v != "Cel" {
		t.Errorf("/3303/0/5701 is %q in %v", v, m.Values)
	}
	// Resource instances.
	m = expect(t, p, "205", command{"op": "read", "path": "/3/0/11", "format": f})
	if v := m.Values["/0"]; v != "0" {
		t.Errorf("/3/0/11/0 is %q in %v", v, m.Values)
	}
	m = expect(t, p, "205", command{"op": "discover", "path": "/3303"})
	if !strings.Contains(m.Links, "</3303/0/5700>") {
		t.Errorf("Discover: %s", m.Links)
	}

	expect(t, p, "204", command{"op": "write", "path": "/3303/0/5750", "format": f, "value": "cellar " + f})
	m = expect(t, p, "205", command{"op": "read", "path": "/3303/0/5750", "format": f})
	if v := m.Values[""]; v != "cellar "+f {
		t.Errorf("/3303/0/5750 is %q", v)
	}
	// Replace and update an instance. The hooks of the alarm validate both limits together.
	expect(t, p, "204", command{"op": "write", "path": "/42769/0", "format": f, "value": command{"0": -3.5, "1": 40.25, "2": "hi"}})
	expect(t, p, "204", command{"op": "update", "path": "/42769/0", "format": f, "value": command{"1": 41}})
	expect(t, p, "400", command{"op": "update", "path": "/42769/0", "format": f, "value": command{"0": 60}})
	expect(t, p, "400", command{"op": "write", "path": "/42769/0", "format": f, "value": command{"0": 1}})
	m = expect(t, p, "205", command{"op": "read", "path": "/42769/0", "format": f})
	if m.Values["/0"] != "-3.5" || m.Values["/1"] != "41.0" || m.Values["/2"] != "hi" {
		t.Errorf("/42769/0 is %v", m.Values)
	}
	expect(t, p, "405", command{"op": "write", "path": "/3303/0/5701", "format": f, "value": "K"})
	expect(t, p, "404", command{"op": "read", "path": "/3303/9", "format": f})
	expect(t, p, "204", command{"op": "execute", "path": "/42769/0/3", "args": "0='2'"})

	// Create with an ID and without, and Delete.
	expect(t, p, "201", command{"op": "create", "path": "/3303", "format": f, "value": command{"id": 7, "resources": command{"5700": 4.5, "5750": "garage"}}})
	m = expect(t, p, "205", command{"op": "read", "path": "/3303/7", "format": f})
	if m.Values["/5750"] != "garage" {
		t.Errorf("/3303/7 is %v", m.Values)
	}
	if f == "TLV" { // Leshan sends no Create in SenML without an instance ID
		m = expect(t, p, "201", command{"op": "create", "path": "/3303", "format": f, "value": command{"5750": "attic"}})
		if !strings.Contains(m.Location, "3303/1") {
			t.Errorf("created %q, want 3303/1", m.Location)
		}
		expect(t, p, "202", command{"op": "delete", "path": "/3303/1"})
	}
	expect(t, p, "400", command{"op": "create", "path": "/3303", "format": f, "value": command{"id": 7, "resources": command{"5750": "x"}}})
	expect(t, p, "202", command{"op": "delete", "path": "/3303/7"})
	expect(t, p, "404", command{"op": "delete", "path": "/3303/7"})
	p.event(t, "updated", patience) // the object list has changed

	// Observe: only a change of the observed resource is notified.
	expect(t, p, "205", command{"op": "observe", "path": "/42769/0/2", "format": f})
	expect(t, p, "205", command{"op": "observe", "path": "/3303/0/5700", "format": f})
	expect(t, p, "204", command{"op": "attributes", "path": "/3303/0/5700", "query": "pmin=1&pmax=1"})
	n := p.event(t, "notification", patience)
	for n.Path != "/3303/0/5700" {
		n = p.event(t, "notification", patience)
	}
	if n.code() != "205" || !strings.HasPrefix(n.Values[""], "2") {
		t.Errorf("notification: %+v", n)
	}
	expect(t, p, "205", command{"op": "cancel", "path": "/3303/0/5700"})
	expect(t, p, "forgotten", command{"op": "forget", "path": "/42769/0/2"})
	expect(t, p, "204", command{"op": "attributes", "path": "/3303/0/5700", "query": "pmin&pmax"})
}

// singleValues reads and writes one value in the formats of single values.
func singleValues(t *testing.T, p *peer) {
	for _, f := range []string{"TEXT", "CBOR"} {
		expect(t, p, "204", command{"op": "write", "path": "/42769/0/1", "format": f, "value": 39.5})
		m := expect(t, p, "205", command{"op": "read", "path": "/42769/0/1", "format": f})
		if m.Values[""] != "39.5" {
			t.Errorf("%s: %v", f, m.Values)
		}
	}
	expect(t, p, "406", command{"op": "read", "path": "/3303/0", "format": "TEXT"})
	expect(t, p, "205", command{"op": "read", "path": "/3303/0"}) // the device chooses
}

// composites reads and writes resources of several objects in one request.
func composites(t *testing.T, p *peer) {
	for _, f := range []string{"SENML_JSON", "SENML_CBOR"} {
		expect(t, p, "204", command{"op": "writecomposite", "format": f, "value": command{"/42769/0/2": "both", "/3303/0/5750": "of them"}})
		m := expect(t, p, "205", command{"op": "readcomposite", "format": f, "paths": []string{"/42769/0/2", "/3303/0/5750", "/3/0/0"}})
		if m.Values["/42769/0/2"] != "both" || m.Values["/3303/0/5750"] != "of them" || m.Values["/3/0/0"] != "Example" {
			t.Errorf("%s: %v", f, m.Values)
		}
		// One invalid value refuses the whole request.
		expect(t, p, "400", command{"op": "writecomposite", "format": f, "value": command{"/3303/0/5750": "lost", "/42769/0/1": 1000}})
		m = expect(t, p, "205", command{"op": "read", "path": "/3303/0/5750", "format": f})
		if m.Values[""] != "of them" {
			t.Errorf("%s: after a refused Write-Composite: %v", f, m.Values)
		}
	}
}

// attributes checks that Discover lists the attributes that were written.
func attributes(t *testing.T, p *peer) {
	expect(t, p, "204", command{"op": "attributes", "path": "/3303/0/5700", "query": "pmin=10&pmax=60&gt=50.5&lt=-3.5&st=0.5"})
	m := expect(t, p, "205", command{"op": "discover", "path": "/3303/0/5700"})
	for _, want := range []string{"pmin=10", "pmax=60", "gt=50.5", "lt=-3.5", "st=0.5"} {
		if !strings.Contains(m.Links, want) {
			t.Errorf("Discover shows no %s: %s", want, m.Links)
		}
	}
}
