package script

import (
	"errors"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// account returns the entries of a Security instance.
func account(id dm.InstanceID, bootstrap bool) []dm.Entry {
	return []dm.Entry{
		{Path: dm.InstancePath(0, id)},
		{Path: dm.ResourcePath(0, id, 0), Value: dm.StringValue("coap://example.com")},
		{Path: dm.ResourcePath(0, id, 1), Value: dm.BooleanValue(bootstrap)},
	}
}

// An account does not replace that of the bootstrap server at the device, unless it is one itself.
func TestPlacesOfAccounts(t *testing.T) {
	two := [][]dm.Entry{account(0, false), account(1, false)}
	for _, c := range []struct {
		name  string
		own   string // the links of the Bootstrap-Discover
		files [][]dm.Entry
		want  []string
	}{
		{"no answer", "", [][]dm.Entry{account(0, false)}, []string{"/0/0"}},
		{"another place", `</0/7>`, two, []string{"/0/0", "/0/1"}},
		{"the same place", `</>;lwm2m="1.1",</0/0>;uri="coap://b"`, two, []string{"/0/2", "/0/1"}},
		{"accounts of others", `</0/0>;ssid=1,</0/1>`, two, []string{"/0/0", "/0/2"}},
		{"a new account of the bootstrap server", `</0/3>`, [][]dm.Entry{account(0, true), account(1, false)}, []string{"/0/3", "/0/1"}},
		{"both change places", `</0/1>`, [][]dm.Entry{account(0, true), account(1, false)}, []string{"/0/1", "/0/0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := lwm2mserver.BootstrapResult{Step: lwm2mserver.BootstrapDiscover("/0")}
			if c.own != "" {
				answer.Answer = lwm2mserver.Answer{Code: coap.Content, Format: content.Link, Payload: []byte(c.own)}
			}
			var got []string
			for _, step := range Steps(slices.Concat(c.files...)) {
				if step.Prepare == nil {
					continue
				}
				op := step.Operation
				op.Format = content.SenMLJSON
				if err := step.Prepare(&op, []lwm2mserver.BootstrapResult{answer}); err != nil {
					t.Fatal(err)
				}
				got = append(got, op.Path)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the accounts are at %q, want %q", got, c.want)
			}
		})
	}
}

// A device has its own file, or that of every device. A file that cannot be used is reported.
func TestFiles(t *testing.T) {
	broken := errors.New("broken")
	var failing bool
	f := NewFiles(func(file, endpoint string) ([]dm.Entry, error) {
		if file == "bad" || failing {
			return nil, broken
		}
		return account(1, false), nil
	})
	if _, ok := f.Find("a"); ok {
		t.Error("a device without a file has steps")
	}
	if _, err := f.Entries("a"); err == nil {
		t.Error("a device without a file has entries")
	}
	if err := f.Set("a", "bad"); !errors.Is(err, broken) {
		t.Errorf("Set with a broken file: %v", err)
	}
	if err := errors.Join(f.Set(Every, "all.yaml"), f.Set("a", "a.yaml")); err != nil {
		t.Fatal(err)
	}
	for endpoint, want := range map[string]string{"a": "a.yaml", "b": "all.yaml"} {
		if got, ok := f.Of(endpoint); !ok || got != want {
			t.Errorf("the file of %s is %q, want %q", endpoint, got, want)
		}
	}
	steps, ok := f.Find("a")
	var texts []string
	for _, s := range steps {
		texts = append(texts, s.String())
	}
	if want := []string{"DELETE /0", "DELETE /1", "GET /0", "PUT /0/1", "POST /bs"}; !ok || !slices.Equal(texts, want) {
		t.Errorf("the steps are %q, want %q", texts, want)
	}
	failing = true
	var reported string
	f.OnError(func(endpoint string, err error) { reported = endpoint + ": " + err.Error() })
	if _, ok := f.Find("b"); ok || reported != "b: broken" {
		t.Errorf("a file that became broken: %v, %q", ok, reported)
	}
}
