package security_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
)

// filled returns an instance that can be added.
func filled(short int64) security.Instance {
	i := security.Template()
	i.ServerURI, i.BootstrapServer, i.SecurityMode = dm.Str("coap://host"), dm.Bool(false), dm.Int(3)
	i.ShortServerID = dm.Int(short)
	return i
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*security.Instance)
		path   string
	}{
		"no scheme":      {func(i *security.Instance) { i.ServerURI = dm.Str("//host") }, "/0/3/0"},
		"no host":        {func(i *security.Instance) { i.ServerURI = dm.Str("coap:///x") }, "/0/3/0"},
		"no URI":         {func(i *security.Instance) { i.ServerURI = dm.Str("coap://%zz") }, "/0/3/0"},
		"user":           {func(i *security.Instance) { i.ServerURI = dm.Str("coap://me:hunter2@host") }, "/0/3/0"},
		"no Short ID":    {func(i *security.Instance) { i.ShortServerID = dm.Empty[int64]() }, "/0/3/10"},
		"Short ID taken": {func(i *security.Instance) { i.ShortServerID = dm.Int(1) }, "/0/3/10"},
		"no key": {func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity = dm.Int(0), dm.Key([]byte("hunter2"))
		}, "/0/3/2"},
		"no identity": {func(i *security.Instance) { i.SecurityMode, i.SecretKey = dm.Int(0), dm.Key([]byte("hunter2")) }, "/0/3/2"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := security.New(security.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Add(0, filled(1)); err != nil {
				t.Fatal(err)
			}
			i := filled(2)
			c.change(&i)
			err = o.Add(3, i)
			var e *dm.Error
			if !errors.As(err, &e) || e.Code != dm.BadRequest || e.Path.String() != c.path {
				t.Errorf("error %v, want 4.00 at %s", err, c.path)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestAccepts(t *testing.T) {
	o, err := security.New(security.Config{})
	if err != nil {
		t.Fatal(err)
	}
	bootstrap := filled(1) // the Short Server ID of a bootstrap server is ignored
	bootstrap.BootstrapServer = dm.Bool(true)
	psk := filled(2)
	psk.ServerURI, psk.SecurityMode = dm.Str("coaps://[2001:db8::1]:5684"), dm.Int(0)
	psk.PublicKeyOrIdentity, psk.SecretKey = dm.Key([]byte("i")), dm.Key([]byte("k"))
	sms := filled(3)
	sms.ServerURI = dm.Str("tel:+15550100")
	tcp := filled(1) // the same server over another transport
	tcp.ServerURI = dm.Str("coap+tcp://server.example")
	for id, i := range []security.Instance{filled(1), bootstrap, psk, sms, tcp} {
		if err := o.Add(dm.InstanceID(id), i); err != nil {
			t.Errorf("instance %d: %v", id, err)
		}
	}
}

// With ExternalKeys an instance may leave to Config.Secure what its security mode needs.
func TestExternalKeys(t *testing.T) {
	for name, change := range map[string]func(*security.Instance){
		"PSK without a key": func(i *security.Instance) {
			i.SecurityMode, i.PublicKeyOrIdentity = dm.Int(0), dm.Key([]byte("probe-7"))
		},
		"certificates without a server's":          func(i *security.Instance) { i.SecurityMode = dm.Int(2) },
		"a trust anchor without the anchor":        func(i *security.Instance) { i.SecurityMode, i.CertificateUsage = dm.Int(2), dm.Uint(2) },
		"enrolled certificates without a server's": func(i *security.Instance) { i.SecurityMode = dm.Int(4) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, external := range []bool{false, true} {
				o, err := security.New(security.Config{ExternalKeys: external})
				if err != nil {
					t.Fatal(err)
				}
				i := filled(1)
				change(&i)
				if err := o.Add(0, i); (err == nil) != external {
					t.Errorf("ExternalKeys %v: %v", external, err)
				}
			}
		})
	}
}

// The program's own Validate does not see what the package refuses.
func TestOwnValidate(t *testing.T) {
	called := 0
	o, err := security.New(security.Config{Hooks: security.Hooks{Validate: func(context.Context, *dm.Tx[security.Instance]) error { called++; return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	bad := filled(1)
	bad.ServerURI = dm.Str("//host")
	if err := o.Add(0, bad); err == nil || called != 0 {
		t.Errorf("error %v after %d calls", err, called)
	}
	if err := o.Add(0, filled(1)); err != nil || called != 1 {
		t.Errorf("error %v after %d calls", err, called)
	}
	if err := o.Remove(context.Background(), 0); err != nil || called != 2 {
		t.Errorf("error %v after %d calls", err, called)
	}
}

// A bootstrap server need not write credentials that the security mode does not use. Only it can
// read what it writes.
func TestServerMade(t *testing.T) {
	called := false
	o, err := security.New(security.Config{Hooks: security.Hooks{Validate: func(context.Context, *dm.Tx[security.Instance]) error {
		called = true
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := m.Begin(context.Background(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	entry := func(r dm.ResourceID, v dm.Value) dm.Entry { return dm.Entry{Path: dm.ResourcePath(0, 2, r), Value: v} }
	err = tx.Write(dm.InstancePath(0, 2), dm.Replace, []dm.Entry{
		entry(0, dm.StringValue("coap://host")), entry(1, dm.BooleanValue(false)), entry(2, dm.IntegerValue(3)),
		entry(10, dm.IntegerValue(101)),
	})
	if err == nil {
		err = tx.Commit()
	}
	if err != nil || !called {
		t.Fatalf("error %v, own Validate called: %v", err, called)
	}
	if _, err := m.Snapshot().Value(context.Background(), dm.Server(101), dm.ResourcePath(0, 2, 0)); !errors.Is(err,
		dm.MethodNotAllowed) {
		t.Errorf("a management server reads the URI: %v", err)
	}
}
