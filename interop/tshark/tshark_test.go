package tshark

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// request is a Write for the dissector.
type request struct {
	path    dm.Path
	payload []byte
	entries []dm.Entry
}

func at(path string, v dm.Value) dm.Entry {
	p, err := dm.ParsePath(path)
	if err != nil {
		return dm.Entry{}
	}
	return dm.Entry{Path: p, Value: v}
}

// device is instance /3/0 of the examples in the specification.
var device = []dm.Entry{
	at("/3/0/0", dm.StringValue("Open Mobile Alliance")),
	at("/3/0/1", dm.StringValue("Lightweight M2M Client")),
	at("/3/0/2", dm.StringValue("345000123")),
	at("/3/0/3", dm.StringValue("1.0")),
	at("/3/0/6/0", dm.IntegerValue(1)),
	at("/3/0/6/1", dm.IntegerValue(5)),
	at("/3/0/7/0", dm.IntegerValue(3800)),
	at("/3/0/7/1", dm.IntegerValue(5000)),
	at("/3/0/8/0", dm.IntegerValue(-125)),
	at("/3/0/8/1", dm.IntegerValue(-70000)),
	at("/3/0/9", dm.IntegerValue(100)),
	at("/3/0/10", dm.IntegerValue(math.MaxInt64)),
	at("/3/0/11/0", dm.IntegerValue(0)),
	at("/3/0/13", dm.TimeValue(1367491215)),
	at("/3/0/14", dm.StringValue("+02:00")),
	at("/3/0/16", dm.StringValue("U")),
}

// servers is object /1 with two instances.
var servers = []dm.Entry{
	at("/1/0/0", dm.IntegerValue(1)),
	at("/1/0/1", dm.IntegerValue(86400)),
	at("/1/0/6", dm.BooleanValue(true)),
	at("/1/0/7", dm.StringValue("U")),
	at("/1/300/0", dm.IntegerValue(2)),
	at("/1/300/1", dm.IntegerValue(math.MinInt64)),
	at("/1/300/6", dm.BooleanValue(false)),
	at("/1/300/7", dm.StringValue(strings.Repeat("UQ", 200))),
}

// plain is an instance of an object that the dissector does not know. It shows a value in every way
// that the length of the value allows.
var plain = []dm.Entry{
	at("/33001/0/1", dm.StringValue("text")),
	at("/33001/0/2", dm.IntegerValue(-1)),
	at("/33001/0/3", dm.UnsignedValue(math.MaxUint64)),
	at("/33001/0/4", dm.FloatValue(22.5)),
	at("/33001/0/5", dm.BooleanValue(true)),
	at("/33001/0/6", dm.OpaqueValue([]byte{0, 0xff, 0xfe})),
	at("/33001/0/7", dm.TimeValue(1700000000)),
	at("/33001/0/8", dm.LinkValue(dm.NullLink)),
	at("/33001/0/9", dm.CoreLinkValue("</3303/0>")),
	at("/33001/0/300", dm.FloatValue(-273.15)),
	at("/33001/0/301/0", dm.UnsignedValue(200)),
	at("/33001/0/301/255", dm.UnsignedValue(60000)),
	at("/33001/0/301/256", dm.UnsignedValue(4000000000)),
	at("/33001/0/301/65534", dm.IntegerValue(-129)),
	at("/33001/0/65534", dm.OpaqueValue(bytes.Repeat([]byte{0xab}, 1200))),
}

// below returns the entries at a path and below.
func below(path string, entries []dm.Entry) request {
	r := request{path: at(path, dm.Value{}).Path}
	for _, e := range entries {
		if r.path.Contains(e.Path) {
			r.entries = append(r.entries, e)
		}
	}
	return r
}

func TestDissector(t *testing.T) {
	tool, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: run interop/install")
	}
	requests := []request{
		below("/3/0", device), below("/3", device), below("/3/0/7", device), below("/3/0/9", device),
		below("/1", servers), below("/1/300", servers), below("/33001/0", plain), below("/33001", plain), below("/33001/0/301", plain),
	}
	var bases []dm.Path
	var enc codec.Encoder
	for i := range requests {
		r := &requests[i]
		if r.payload, err = enc.Encode(content.TLV, nil, content.Target{Base: r.path}, r.entries); err != nil {
			t.Fatal(err)
		}
		bases = append(bases, r.path)
	}
	file := filepath.Join(t.TempDir(), "requests.pcap")
	if err := os.WriteFile(file, capture(requests), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "-r", file, "-T", "pdml", "-J", "lwm2mtlv")
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8", "HOME="+t.TempDir())
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	all, err := parse(output, bases)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(requests) {
		t.Fatalf("tshark shows %d packets of %d", len(all), len(requests))
	}
	for i, r := range requests {
		compare(t, r, all[i])
	}
}

// compare compares the values that the dissector found with those that were encoded.
func compare(t *testing.T, r request, got []found) {
	t.Helper()
	if len(got) != len(r.entries) || len(got) == 0 {
		t.Fatalf("%v: the dissector finds %d values of %d", r.path, len(got), len(r.entries))
	}
	for i, e := range r.entries {
		if got[i].path != e.Path {
			t.Errorf("%v: the dissector finds %v where %v was encoded", r.path, got[i].path, e.Path)
			continue
		}
		if err := got[i].agrees(e.Value); err != nil {
			t.Errorf("%v: %v", e.Path, err)
		}
	}
}

// TestComparison checks that TestDissector can fail.
func TestComparison(t *testing.T) {
	leaf := field{Fields: []field{{Name: "lwm2mtlv.value", Value: "64"}, {Name: "lwm2mtlv.value.integer", Show: "100"}}}
	f := found{device[10].Path, leaf}
	if err := f.agrees(dm.IntegerValue(100)); err != nil {
		t.Error(err)
	}
	for _, v := range []dm.Value{
		dm.IntegerValue(101), dm.UnsignedValue(100), dm.StringValue("d"), dm.FloatValue(100),
		dm.OpaqueValue([]byte{0x65}), dm.BooleanValue(true), dm.TimeValue(100),
	} {
		if f.agrees(v) == nil {
			t.Errorf("an Integer of 100 is taken for %v %v", v.Type(), v)
		}
	}
}
