package lwm2mserver

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// BootstrapWriteValues returns a step that writes values to a path, which is an object, an instance
// or a resource. The entries lie below the path, in any order. The payload has the format that the
// device prefers (pct of its Bootstrap-Request), or TLV if it names none.
func BootstrapWriteValues(path string, entries ...dm.Entry) BootstrapStep {
	s := BootstrapWrite(path, content.TLV, nil)
	p, err := dm.ParsePath(path)
	for _, e := range entries {
		if err == nil && !p.Contains(e.Path) {
			err = fmt.Errorf("the value of %v is not below %s", e.Path, path)
		}
	}
	s.values, s.err = slices.Clone(entries), err
	slices.SortFunc(s.values, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	return s
}

// BootstrapWriteObject returns a step that writes every instance of an object, each in a request of
// its own. The object is one that the program makes for this purpose, with the instances that the
// device shall have. Formats and values are as for BootstrapWriteValues.
//
//	acl, err := accesscontrol.New(accesscontrol.Config{})
//	err = acl.Add(0, accesscontrol.Instance{...})
//	srv.ScriptBootstrap("heater-7", account, lwm2mserver.BootstrapWriteObject(acl), finish)
func BootstrapWriteObject(o dm.Object) BootstrapStep {
	m, err := dm.NewModel(dm.ModelConfig{Logger: slog.New(slog.DiscardHandler)}, o)
	if err != nil {
		return BootstrapStep{err: err}
	}
	var all []BootstrapStep
	snapshot := m.Snapshot()
	for object := range snapshot.Objects() {
		for id := range snapshot.Instances(object) {
			p := dm.InstancePath(object, id)
			var entries []dm.Entry
			err := snapshot.Read(context.Background(), dm.Application, p, func(p dm.Path, v dm.Value) error {
				entries = append(entries, dm.Entry{Path: p, Value: v})
				return nil
			})
			if err != nil {
				return BootstrapStep{err: err}
			}
			all = append(all, BootstrapWriteValues(p.String(), entries...))
		}
	}
	return BootstrapStep{group: all}
}

// An Account is what a device needs to know of a server. lwm2m.Server is one.
type Account interface {
	// Instances returns the instances of the Security (0) and the Server object (1). The account of
	// a bootstrap server has no Server instance.
	Instances() (security.Instance, server.Instance, error)
}

// BootstrapAccount returns a step that writes the account of a server, a Security and a Server
// instance with the same ID, each in a request of its own. Formats are as for BootstrapWriteValues.
//
//	lwm2mserver.BootstrapAccount(1, lwm2m.Server{URI: "coaps://example.com", ShortID: 1, PSK: psk})
func BootstrapAccount(id dm.InstanceID, a Account) BootstrapStep {
	failed := BootstrapWriteValues(dm.InstancePath(security.ObjectID, id).String())
	securityInstance, serverInstance, err := a.Instances()
	if err != nil {
		failed.err = err
		return failed
	}
	account := BootstrapStep{}
	sec, err := security.New(security.Config{})
	if err == nil {
		err = sec.Add(id, securityInstance)
	}
	if err != nil {
		failed.err = err
		return failed
	}
	account.group = []BootstrapStep{BootstrapWriteObject(sec)}
	if bootstrap, _ := securityInstance.BootstrapServer.Get(); bootstrap {
		return account
	}
	srv, err := server.New(server.Config{})
	if err == nil {
		err = srv.Add(id, serverInstance)
	}
	if err != nil {
		failed.err = err
		return failed
	}
	account.group = append(account.group, BootstrapWriteObject(srv))
	return account
}

// flatten returns the steps that a script stands for, without groups.
func flatten(script []BootstrapStep) []BootstrapStep {
	var all []BootstrapStep
	for _, s := range script {
		if s.group == nil {
			all = append(all, s)
			continue
		}
		inner := flatten(s.group)
		for i := range inner {
			inner[i].IgnoreError = inner[i].IgnoreError || s.IgnoreError
		}
		if len(inner) > 0 {
			inner[0].Pause += s.Pause
		}
		all = append(all, inner...)
	}
	return all
}

// operation returns the request of the step to a device that prefers a format.
func (s *BootstrapStep) operation(f content.Format) (Operation, error) {
	op := s.Operation
	if s.err != nil || s.values == nil {
		return op, s.err
	}
	op.Format = f
	var err error
	op.Payload, err = Encode(op.Format, op.Path, s.values...)
	return op, err
}

// preferredFormat returns the format that a device prefers for the payloads of a bootstrap: pct of
// its Bootstrap-Request, or TLV, which LwM2M 1.0 has (Core 1.2.2 §6.1.7.1).
func (r Request) preferredFormat() content.Format {
	n, err := strconv.ParseUint(r.params()["pct"], 10, 16)
	f := content.Format(n)
	if err != nil || content.Check(f, content.Write, dm.InstancePath(0, 0)) != nil {
		return content.TLV
	}
	return f
}
