package server_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// filled returns an instance that can be added.
func filled(short int64) server.Instance {
	i := server.Template()
	i.ShortServerID, i.Lifetime, i.Binding = dm.Int(short), dm.Int(60), dm.Str("U")
	i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
	return i
}

func newObject(t *testing.T, c server.Config) *server.Object {
	t.Helper()
	o, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*server.Instance)
		path   string
	}{
		"lifetime":          {func(i *server.Instance) { i.Lifetime = dm.Int(-1) }, "/1/3/1"},
		"long lifetime":     {func(i *server.Instance) { i.Lifetime = dm.Int(3_153_600_001) }, "/1/3/1"},
		"longest lifetime":  {func(i *server.Instance) { i.Lifetime = dm.Int(math.MaxInt64) }, "/1/3/1"},
		"long pmin":         {func(i *server.Instance) { i.DefaultMinimumPeriod = dm.Int(3_153_600_001) }, "/1/3/2"},
		"long pmax":         {func(i *server.Instance) { i.DefaultMaximumPeriod = dm.Int(3_153_600_001) }, "/1/3/3"},
		"long disable":      {func(i *server.Instance) { i.DisableTimeout = dm.Int(3_153_600_001) }, "/1/3/5"},
		"pmin":              {func(i *server.Instance) { i.DefaultMinimumPeriod = dm.Int(-1) }, "/1/3/2"},
		"pmax":              {func(i *server.Instance) { i.DefaultMaximumPeriod = dm.Int(-1) }, "/1/3/3"},
		"disable":           {func(i *server.Instance) { i.DisableTimeout = dm.Int(-1) }, "/1/3/5"},
		"binding":           {func(i *server.Instance) { i.Binding = dm.Str("UX") }, "/1/3/7"},
		"binding twice":     {func(i *server.Instance) { i.Binding = dm.Str("UU") }, "/1/3/7"},
		"binding empty":     {func(i *server.Instance) { i.Binding = dm.Str("") }, "/1/3/7"},
		"binding Q":         {func(i *server.Instance) { i.Binding = dm.Str("QU") }, "/1/3/7"},
		"transport":         {func(i *server.Instance) { i.PreferredTransport = dm.Str("UT") }, "/1/3/22"},
		"no transport":      {func(i *server.Instance) { i.PreferredTransport = dm.Str("") }, "/1/3/22"},
		"unknown transport": {func(i *server.Instance) { i.PreferredTransport = dm.Str("X") }, "/1/3/22"},
		"minor version":     {func(i *server.Instance) { i.SupportedServerVersions = dm.List("1.x") }, "/1/3/25"},
		"large version":     {func(i *server.Instance) { i.SupportedServerVersions = dm.List("1.256") }, "/1/3/25"},
		"version":           {func(i *server.Instance) { i.SupportedServerVersions = dm.List("1.1", "two") }, "/1/3/25"},
		"version parts":     {func(i *server.Instance) { i.SupportedServerVersions = dm.List("1.1.1.1") }, "/1/3/25"},
		"Short ID taken":    {func(i *server.Instance) { i.ShortServerID = dm.Int(1) }, "/1/3/0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newObject(t, server.Config{})
			if err := o.Add(0, filled(1)); err != nil {
				t.Fatal(err)
			}
			i := filled(2)
			c.change(&i)
			err := o.Add(3, i)
			var e *dm.Error
			if !errors.As(err, &e) || e.Code != dm.BadRequest || e.Path.String() != c.path {
				t.Errorf("error %v, want 4.00 at %s", err, c.path)
			}
			if o.Len() != 1 {
				t.Error("the refused instance was added")
			}
		})
	}
}

func TestAccepts(t *testing.T) {
	for _, b := range []string{"U", "UQ", "UQS", "UT", "N", "UTSNMH"} {
		i := filled(1)
		i.Binding, i.Lifetime = dm.Str(b), dm.Int(3_153_600_000)
		i.SupportedServerVersions = dm.List("1.0", "1.2.1")
		i.PreferredTransport = dm.Str("T")
		if err := newObject(t, server.Config{}).Add(0, i); err != nil {
			t.Errorf("binding %s: %v", b, err)
		}
	}
}

// The program's own Validate runs after the package's.
func TestOwnValidate(t *testing.T) {
	refused := errors.New("no")
	called := 0
	o := newObject(t, server.Config{Hooks: server.Hooks{Validate: func(context.Context, *dm.Tx[server.Instance]) error {
		called++
		return refused
	}}})
	if err := o.Add(0, filled(1)); !errors.Is(err, refused) || called != 1 {
		t.Errorf("error %v after %d calls", err, called)
	}
	bad := filled(1)
	bad.Lifetime = dm.Int(-1)
	if err := o.Add(0, bad); errors.Is(err, refused) || called != 1 {
		t.Errorf("error %v after %d calls, want the package's own error", err, called)
	}
}

// client records what executables request.
type client struct {
	disabled, updated []dm.InstanceID
	bootstraps        int
	err               error
}

func (c *client) DisableAccount(id dm.InstanceID) error {
	c.disabled = append(c.disabled, id)
	return c.err
}

func (c *client) UpdateAccount(id dm.InstanceID) error {
	c.updated = append(c.updated, id)
	return c.err
}

func (c *client) RequestBootstrap() error {
	c.bootstraps++
	return c.err
}

func TestExecutables(t *testing.T) {
	o := newObject(t, server.Config{})
	if err := o.Add(5, filled(1)); err != nil {
		t.Fatal(err)
	}
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{}
	ctx := server.WithClient(context.Background(), c)
	run := func(ctx context.Context, r dm.ResourceID) error {
		return m.Snapshot().Execute(ctx, dm.Server(1), dm.ResourcePath(1, 5, r), dm.Args{})
	}
	for _, r := range []dm.ResourceID{4, 8, 9} {
		if err := run(ctx, r); err != nil {
			t.Errorf("executable %d: %v", r, err)
		}
		if err := run(context.Background(), r); !errors.Is(err, dm.InternalServerError) {
			t.Errorf("executable %d without a client: %v", r, err)
		}
	}
	if len(c.disabled) != 1 || c.disabled[0] != 5 || len(c.updated) != 1 || c.updated[0] != 5 || c.bootstraps != 1 {
		t.Errorf("the executables requested %+v", c)
	}
	c.err = dm.Errorf(dm.MethodNotAllowed, "no bootstrap server")
	if err := run(ctx, 9); !errors.Is(err, dm.MethodNotAllowed) {
		t.Errorf("the client's error became %v", err)
	}
}

// A bootstrap server creates an instance from the mandatory resources.
func TestServerMade(t *testing.T) {
	o := newObject(t, server.Config{})
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := m.Begin(context.Background(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	p := dm.InstancePath(1, 2)
	entry := func(r dm.ResourceID, v dm.Value) dm.Entry { return dm.Entry{Path: dm.ResourcePath(1, 2, r), Value: v} }
	err = tx.Write(p, dm.Replace, []dm.Entry{
		entry(0, dm.IntegerValue(101)), entry(1, dm.IntegerValue(60)), entry(6, dm.BooleanValue(false)),
		entry(7, dm.StringValue("U")),
		entry(17, dm.UnsignedValue(3)),
	})
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	i, _ := o.Get(2)
	if i.CommunicationRetryCount.Or(0) != 3 || i.Disable == nil || i.RegistrationUpdateTrigger == nil {
		t.Errorf("the instance is %+v", i)
	}
}

// There is no SMS, so the device does not say that an SMS can reach it (/1/x/21).
func TestTemplateHasNoTrigger(t *testing.T) {
	if i := server.Template(); i.Trigger.Supported() {
		t.Error("Trigger is supported")
	}
}
