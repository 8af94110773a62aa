package manage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// collected returns the values and the left-out nodes in words, sorted.
func collected(entries []dm.Entry, left []LeftOut) []string {
	var list []string
	for _, e := range entries {
		list = append(list, fmt.Sprintf("%v=%v", e.Path, e.Value))
	}
	for _, l := range left {
		list = append(list, fmt.Sprintf("%v: %v", l.Path, dm.CodeOf(l.Err)))
	}
	slices.Sort(list)
	return list
}

// collects fails unless Collect returns these values and left-out nodes.
func (r *rig) collects(paths string, want ...string) {
	r.t.Helper()
	var got []string
	done := false
	var list []dm.Path
	for s := range strings.FieldsSeq(paths) {
		list = append(list, path(r.t, s))
	}
	r.peers[0].peer.Collect(list, func(e []dm.Entry, l []LeftOut) { got, done = collected(e, l), true })
	r.until(func() bool { return done })
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Errorf("Collect %s:\n%s\nwant\n%s", paths, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func path(t testing.TB, s string) dm.Path {
	t.Helper()
	p, err := dm.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCollectReadsAsTheServer(t *testing.T) {
	o := device12
	o.peer = func(c *PeerConfig) {
		c.Authorize = func(op Operation, _ string, p dm.Path) error {
			if op == Read && p == dm.InstancePath(3303, 1) {
				return &dm.Error{Code: dm.Unauthorized, Path: p}
			}
			return nil
		}
	}
	r := newRig(t, o)
	r.collects("/3303/0/5700 /3303/0/5750", "/3303/0/5700=21.5", "/3303/0/5750=boiler")
	r.collects("/3303/1", "/3303/1: 4.01 Unauthorized")
	r.collects("/3303/1/5700", "/3303/1/5700: 4.01 Unauthorized")
	r.collects("/0/0/1 /21", "/0/0/1: 4.01 Unauthorized", "/21: 4.01 Unauthorized")
	r.collects("/3303/0/5605 /3303/0/1 /4000/0", "/3303/0/5605: 4.05 Method Not Allowed", "/3303/0/1: 4.04 Not Found", "/4000/0: 4.04 Not Found")
	r.dev.noCelsius = dm.ErrNoValue
	r.collects("/3303/0/5700 /3303/0/5701", "/3303/0/5700: 4.04 Not Found", "/3303/0/5701=Cel")
}

func TestCollectCallsSlowFunctionsOnAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		close(r.dev.release)
		r.collects("/3303/0/5601 /3303/1/5700", "/3303/0/5601=-3.5", "/3303/1/5700=4.25")
		r.collects("/3303", "/3303/0/5601=-3.5", "/3303/0/5700=21.5", "/3303/0/5701=Cel", "/3303/0/5750=boiler",
			"/3303/1/5700=4.25", "/3303/1/5750=fridge")
	})
}

func TestCollectSurvivesAPanic(t *testing.T) {
	o := device12
	o.config = func(c *Config) { c.RecoverPanics = true }
	r := newRig(t, o)
	r.dev.fault = func(string) { panic("sensor") }
	r.collects("/3303/0/5700 /3303/1/5700", "/3303/0/5700: 5.00 Internal Server Error", "/3303/1/5700: 5.00 Internal Server Error")
}

func TestCheckValue(t *testing.T) {
	r := newRig(t, device12)
	for _, test := range []struct {
		path  string
		value dm.Value
		want  dm.Code
	}{
		{"/3303/0/5700", dm.FloatValue(1), 0},
		{"/3/0/7/3", dm.IntegerValue(1), 0},
		{"/3303/0/5700", dm.IntegerValue(1), dm.BadRequest},
		{"/3303/0/5700/0", dm.FloatValue(1), dm.BadRequest},
		{"/3303/0", dm.FloatValue(1), dm.BadRequest},
		{"/3/0/7", dm.IntegerValue(1), dm.BadRequest},
		{"/3303/0/5605", dm.StringValue(""), dm.MethodNotAllowed},
		{"/3303/0/5603", dm.FloatValue(1), dm.NotFound}, // not supported
		{"/3303/2/5700", dm.FloatValue(1), dm.NotFound},
		{"/0/0/0", dm.StringValue(""), dm.Unauthorized},
	} {
		err := r.peers[0].peer.CheckValue(dm.Entry{Path: path(t, test.path), Value: test.value})
		if test.want == 0 && err != nil || test.want != 0 && !errors.Is(err, test.want) {
			t.Errorf("%s=%v: %v, want %v", test.path, test.value, err, test.want)
		}
	}
}
