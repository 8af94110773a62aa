package lwm2m_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Two accounts: of a bootstrap server, and of server 101 with its settings and rights.
const factoryJSON = `[
  {"bn":"/0/0/","n":"0","vs":"coap://boot.example.com"},{"n":"1","vb":true},{"n":"2","v":3},{"n":"11","v":7},
  {"bn":"/0/1/","n":"0","vs":"coap://lwm2m.example.com"},{"n":"1","vb":false},{"n":"2","v":3},{"n":"10","v":101},
  {"bn":"/1/0/","n":"0","v":101},{"n":"1","v":3600},{"n":"6","vb":true},{"n":"7","vs":"U"},
  {"bn":"/2/0/","n":"0","v":3},{"n":"1","v":0},{"n":"2/0","v":1},{"n":"3","v":101},
  {"bn":"/16/0/","n":"0/0","vs":"host"},{"n":"0/1","vs":"maker"}
]`

func factoryConfig(t *testing.T, factory lwm2m.Factory) lwm2m.Config {
	t.Helper()
	o, err := portfolio.New(portfolio.Config{Template: portfolio.Instance{Identity: dm.EmptyMulti[string]()}})
	must(t, err)
	return lwm2m.Config{
		Endpoint: "dev", Factory: factory, Objects: []dm.Object{etsDevice(t), o},
		Logger: quiet(),
	}
}

// modelText returns what a client has in objects 0, 1, 2 and 16.
func modelText(t *testing.T, c *lwm2m.Client) string {
	t.Helper()
	var b strings.Builder
	for _, o := range []dm.ObjectID{0, 1, 2, 16} {
		must(t, c.Model().Snapshot().Stored(dm.ObjectPath(o), func(p dm.Path, v dm.Value) error {
			if v.Type() != registry.None {
				fmt.Fprintf(&b, "%v %v\n", p, v)
			}
			return nil
		}))
	}
	return b.String()
}

func TestFactory(t *testing.T) {
	name := filepath.Join(t.TempDir(), "factory.json")
	must(t, os.WriteFile(name, []byte(factoryJSON), 0o600))
	fromFile, err := lwm2m.New(factoryConfig(t, lwm2m.FactoryFile(name)))
	must(t, err)
	want := modelText(t, fromFile)
	for _, line := range []string{
		"/0/0/11 7", "/0/1/0 coap://lwm2m.example.com", "/1/0/1 3600", "/2/0/2/0 1", "/2/0/3 101", "/16/0/0/1 maker",
	} {
		if !strings.Contains(want, line+"\n") {
			t.Errorf("there is no %s in\n%s", line, want)
		}
	}
	for _, f := range []content.Format{content.SenMLCBOR, content.LwM2MCBOR} {
		c, err := lwm2m.New(factoryConfig(t, lwm2m.FactoryData("factory", packOf(t, f, fromFile.Model().Snapshot()))))
		must(t, err)
		if got := modelText(t, c); got != want {
			t.Errorf("from %v:\n%swant\n%s", f, got, want)
		}
	}
}

// packOf returns objects 0, 1, 2 and 16 of a data model as a Bootstrap-Pack.
func packOf(t *testing.T, f content.Format, s dm.Snapshot) []byte {
	t.Helper()
	var entries []dm.Entry
	for _, o := range []dm.ObjectID{0, 1, 2, 16} {
		must(t, s.Stored(dm.ObjectPath(o), func(p dm.Path, v dm.Value) error {
			if v.Type() != registry.None {
				entries = append(entries, dm.Entry{Path: p, Value: v})
			}
			return nil
		}))
	}
	pack, err := new(codec.Encoder).Encode(f, nil, content.Target{}, entries)
	must(t, err)
	return pack
}

// A device that has restored its accounts does not start from the factory file again.
func TestFactoryOfProvisionedDevice(t *testing.T) {
	first, err := lwm2m.New(factoryConfig(t, lwm2m.FactoryData("factory", []byte(factoryJSON))))
	must(t, err)
	cfg := factoryConfig(t, lwm2m.FactoryFile("does not exist"))
	sec, srv := accounts(t, 0)
	addAccount(t, sec, srv, 7, "coap://other")
	cfg.Objects = append(cfg.Objects, sec, srv)
	second, err := lwm2m.New(cfg)
	must(t, err)
	if text := modelText(t, second); !strings.Contains(text, "coap://other") || strings.Contains(text, "example.com") {
		t.Errorf("the restored device has\n%s", text)
	}
	if first.Model() == second.Model() {
		t.Error("the clients share a model")
	}
}

func TestSmartcard(t *testing.T) {
	var log bytes.Buffer
	card := lwm2m.Factory{}
	failure := error(nil)
	start := func() (string, error) {
		cfg := factoryConfig(t, lwm2m.Factory{})
		cfg.Smartcard = func() (lwm2m.Factory, error) { return card, failure }
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		sec, srv := accounts(t, 0)
		addAccount(t, sec, srv, 7, "coap://other")
		cfg.Objects = append(cfg.Objects, sec, srv)
		c, err := lwm2m.New(cfg)
		if err != nil {
			return "", err
		}
		return modelText(t, c), nil
	}
	if text, err := start(); err != nil || !strings.Contains(text, "coap://other") {
		t.Errorf("without a card: %v\n%s", err, text)
	}
	card = lwm2m.FactoryData("card", []byte(factoryJSON))
	if text, err := start(); err != nil || strings.Contains(text, "coap://other") || !strings.Contains(text, "coap://lwm2m.example.com") {
		t.Errorf("with a card: %v\n%s", err, text)
	}
	failure = errors.New("the reader is gone")
	if text, err := start(); err != nil || !strings.Contains(text, "coap://other") || !strings.Contains(log.String(), "the reader is gone") {
		t.Errorf("the card cannot be read: %v\n%s\n%s", err, text, log.String())
	}
	log.Reset()
	card, failure = lwm2m.FactoryData("card", []byte(strings.Replace(factoryJSON, `"v":3600`, `"v":-1`, 1))), nil
	if text, err := start(); err != nil || !strings.Contains(text, "coap://other") || !strings.Contains(log.String(), "/1/0/1") {
		t.Errorf("the card has a fault: %v\n%s\n%s", err, text, log.String())
	}
	card = lwm2m.FactoryData("card", []byte("[]"))
	if text, err := start(); err != nil || !strings.Contains(text, "coap://other") {
		t.Errorf("with an empty card: %v\n%s", err, text)
	}
}

func TestFactoryFaults(t *testing.T) {
	secret := "c2VjcmV0LWtleS0xMjM" // secret-key-123
	for name, c := range map[string]struct{ old, new, want string }{
		"no JSON":           {`[`, `[[`, "factory.json"},
		"other format":      {`[`, `{`, "neither SenML JSON, SenML CBOR nor LwM2M CBOR"},
		"unknown object":    {`"/16/0/"`, `"/17/0/"`, "/17/0/0/0: the device has no object 17"},
		"wrong type":        {`{"n":"1","v":3600}`, `{"n":"1","vs":"x"}`, "/1/0/1"},
		"out of range":      {`{"n":"1","v":0}`, `{"n":"1","v":70000}`, "/2/0/1"},
		"missing resource":  {`{"n":"7","vs":"U"}`, `{"n":"13","v":1}`, "/1/0"},
		"no settings":       {`"/1/0/","n":"0","v":101`, `"/1/0/","n":"0","v":102`, "/1/0/0: no Security instance has the Short Server ID 102"},
		"unusable account":  {`"coap://lwm2m.example.com"`, `"coap+sms://1"`, "/0/1"},
		"key without name":  {`{"n":"2","v":3},{"n":"10"`, `{"n":"2","v":0},{"n":"5","vd":"` + secret + `"},{"n":"10"`, "/0/1: "},
		"two entries":       {`{"n":"3","v":101}`, `{"n":"3","v":101},{"bn":"/2/1/","n":"0","v":3},{"n":"1","v":0},{"n":"3","v":101}`, "/2/1/1: instance 0 is for instance 0 of object 3 already"},
		"optional resource": {`{"n":"7","vs":"U"}`, `{"n":"7","vs":"U"},{"n":"4711","v":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			data := strings.Replace(factoryJSON, c.old, c.new, 1)
			if data == factoryJSON {
				t.Fatal("the case changes nothing")
			}
			_, err := lwm2m.New(factoryConfig(t, lwm2m.FactoryData("factory.json", []byte(data))))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
			case err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "factory.json"):
				t.Errorf("the error is %v, want it to name factory.json and %s", err, c.want)
			case strings.Contains(err.Error(), "secret-key") || strings.Contains(err.Error(), secret):
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
	_, err := lwm2m.New(factoryConfig(t, lwm2m.FactoryFile("does not exist")))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
	cfg := factoryConfig(t, lwm2m.FactoryData("factory", []byte(factoryJSON)))
	cfg.Servers = []lwm2m.Server{{URI: "coap://x"}}
	if _, err := lwm2m.New(cfg); err == nil || !strings.Contains(err.Error(), "Factory") {
		t.Errorf("with Servers and Factory: %v", err)
	}
}

// What New stores is the whole file or nothing.
func TestFactoryIsStoredAsAWhole(t *testing.T) {
	cfg := factoryConfig(t, lwm2m.FactoryData("factory", []byte(factoryJSON)))
	records := 0
	failure := errors.New("disk full")
	cfg.Persist = func(_ context.Context, c dm.Committed) error {
		if c.Origin != dm.Bootstrap {
			t.Errorf("stored by %v", c.Origin)
		}
		records++
		return failure
	}
	if _, err := lwm2m.New(cfg); !errors.Is(err, failure) || records != 1 {
		t.Errorf("%v after %d records, want the failure after 1", err, records)
	}
	cfg = factoryConfig(t, cfg.Factory)
	cfg.Persist = func(_ context.Context, c dm.Committed) error { records++; return nil }
	if _, err := lwm2m.New(cfg); err != nil || records != 2 {
		t.Errorf("%v, and %d records, want one more", err, records)
	}
}

func TestFactoryPrintsNoContents(t *testing.T) {
	f := lwm2m.FactoryData("line 7", []byte("s3cr3t"))
	cfg := lwm2m.Config{Factory: f}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "factory", f)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", f, f, f, f, f), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), log.String()} {
		if strings.Contains(text, "s3cr3t") || strings.Contains(text, "115 51 99") {
			t.Errorf("this shows the contents: %s", text)
		}
	}
}

func FuzzFactory(f *testing.F) {
	f.Add([]byte(factoryJSON))
	f.Add([]byte{0x81, 0xa2, 0x20, 0x64, '/', '1', '/', '0', 0x02, 0x00})
	f.Add([]byte{0xa1, 0x00, 0xa1, 0x00, 0xa1, 0x00, 0x61, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := lwm2m.New(factoryConfig(t, lwm2m.FactoryData("factory", data)))
		if err != nil {
			return
		}
		accounts := 0
		for range c.Model().Snapshot().Instances(0) {
			accounts++
		}
		if accounts == 0 {
			t.Error("New accepts a factory file without an account")
		}
	})
}
