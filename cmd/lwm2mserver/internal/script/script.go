// Package script makes the scripts of bootstrap sequences from files that say what to write.
package script

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// Every stands for every device that has no file of its own.
const Every = "*"

// Files are the files of devices.
type Files struct {
	// load returns what a file says for a device, in the order of the paths.
	load func(file, endpoint string) ([]dm.Entry, error)

	mu      sync.Mutex
	files   map[string]string // by endpoint name, or Every
	onError func(endpoint string, err error)
}

// NewFiles returns Files that load reads. load must be safe for concurrent use.
func NewFiles(load func(file, endpoint string) ([]dm.Entry, error)) *Files {
	return &Files{load: load, files: map[string]string{}}
}

// Set uses a file for later bootstraps of a device, or of Every. It returns the fault of a file
// that cannot be used.
func (f *Files) Set(endpoint, file string) error {
	if _, err := f.load(file, endpoint); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[endpoint] = file
	return nil
}

// Of returns the file of a device, false if there is none.
func (f *Files) Of(endpoint string) (file string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file, ok = f.files[endpoint]; !ok {
		file, ok = f.files[Every]
	}
	return file, ok
}

// All returns the files by the endpoint names that Set was called with, sorted.
func (f *Files) All() (names []string, files map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	files = maps.Clone(f.files)
	return slices.Sorted(maps.Keys(files)), files
}

// Entries returns what is written to a device.
func (f *Files) Entries(endpoint string) ([]dm.Entry, error) {
	file, ok := f.Of(endpoint)
	if !ok {
		return nil, fmt.Errorf("there is no bootstrap file for %q: name one with script %s FILE", endpoint, endpoint)
	}
	return f.load(file, endpoint)
}

// OnError calls fn when a device asks for a bootstrap and its file cannot be used.
func (f *Files) OnError(fn func(endpoint string, err error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onError = fn
}

// Find returns the steps for a device that has a file, for lwm2mserver.Server.FindScript.
func (f *Files) Find(endpoint string) ([]lwm2mserver.BootstrapStep, bool) {
	file, ok := f.Of(endpoint)
	if !ok {
		return nil, false
	}
	entries, err := f.load(file, endpoint)
	if err == nil {
		return Steps(entries), true
	}
	f.mu.Lock()
	onError := f.onError
	f.mu.Unlock()
	if onError != nil {
		onError(endpoint, err)
	}
	return nil, false
}

// Steps returns the steps that write entries to a device: they delete the accounts and the objects
// that the entries are of, ask which account is left, which is that of this bootstrap server, write
// each instance, and finish. A Bootstrap-Delete of everything would delete what the device's own
// program has made.
func Steps(entries []dm.Entry) []lwm2mserver.BootstrapStep {
	objects := []dm.ObjectID{securityObject, serverObject}
	for _, e := range entries {
		if !slices.Contains(objects, e.Path.Object()) {
			objects = append(objects, e.Path.Object())
		}
	}
	var steps []lwm2mserver.BootstrapStep
	for _, id := range objects {
		step := lwm2mserver.BootstrapDelete(dm.ObjectPath(id).String())
		step.IgnoreError = id > serverObject // the Write says more about an object that is absent
		steps = append(steps, step)
	}
	discover := lwm2mserver.BootstrapDiscover("/0")
	discover.IgnoreError = true // then the accounts stay where the file has them
	steps = append(steps, discover)
	for _, group := range instances(entries) {
		instance := group[0].Path.Up(dm.InstanceLevel)
		step := lwm2mserver.BootstrapWriteValues(instance.String(), group...)
		if instance.Object() == securityObject {
			step.Prepare = place(instance, group, entries)
		}
		steps = append(steps, step)
	}
	return append(steps, lwm2mserver.BootstrapFinish())
}

// instances returns entries by instance, without those that name an instance which has values.
func instances(entries []dm.Entry) [][]dm.Entry {
	var all [][]dm.Entry
	for _, e := range entries {
		last := len(all) - 1
		if last < 0 || all[last][0].Path.Up(dm.InstanceLevel) != e.Path.Up(dm.InstanceLevel) {
			all = append(all, []dm.Entry{e})
			continue
		}
		if all[last][0].Path.Level() == dm.InstanceLevel {
			all[last] = all[last][:0]
		}
		all[last] = append(all[last], e)
	}
	return all
}

const (
	securityObject dm.ObjectID = 0
	serverObject   dm.ObjectID = 1
)

// place returns a Prepare that writes a Security instance where it does not replace the account of
// the bootstrap server, or where it does if it is one itself.
func place(instance dm.Path, group, all []dm.Entry) func(*lwm2mserver.Operation, []lwm2mserver.BootstrapResult) error {
	return func(op *lwm2mserver.Operation, earlier []lwm2mserver.BootstrapResult) error {
		own, ok := ownAccount(earlier)
		if !ok {
			return nil
		}
		to := newID(instance.Instance(), own, all)
		if to == instance.Instance() {
			return nil
		}
		p := dm.InstancePath(securityObject, to)
		moved := make([]dm.Entry, len(group))
		for i, e := range group {
			moved[i] = e
			moved[i].Path = dm.ResourcePath(securityObject, to, e.Path.Resource())
			if e.Path.Level() == dm.ResourceInstanceLevel {
				moved[i].Path = dm.ResourceInstancePath(securityObject, to, e.Path.Resource(), e.Path.ResourceInstance())
			}
		}
		var err error
		op.Path = p.String()
		op.Payload, err = lwm2mserver.Encode(op.Format, op.Path, moved...)
		return err
	}
}

// newID returns the ID at a device whose own account is own for the Security instance id of a file.
func newID(id, own dm.InstanceID, all []dm.Entry) dm.InstanceID {
	used := map[dm.InstanceID]bool{}
	boot, hasBoot := dm.InstanceID(0), false
	for _, e := range all {
		if e.Path.Object() != securityObject {
			continue
		}
		used[e.Path.Instance()] = true
		if e.Path.Level() == dm.ResourceLevel && e.Path.Resource() == 1 && e.Value.Boolean() {
			boot, hasBoot = e.Path.Instance(), true
		}
	}
	switch {
	case hasBoot && id == boot:
		return own
	case id != own:
		return id
	case hasBoot:
		return boot // the place that the account of the bootstrap server leaves free
	}
	free := dm.InstanceID(0)
	for used[free] || free == own {
		free++
	}
	return free
}

// ownAccount returns the Security instance without a Short Server ID, which is the account of the
// bootstrap server (Core 1.2.2 §6.1.7.3), from the answer to the Bootstrap-Discover.
func ownAccount(results []lwm2mserver.BootstrapResult) (id dm.InstanceID, ok bool) {
	for _, r := range results {
		if r.Step.Operation.Method != coap.GET || r.Answer.Code != coap.Content {
			continue
		}
		_ = corelink.Parse(r.Answer.Payload, func(l corelink.Link) error {
			p, isPath := l.Path("")
			_, isServer := l.Attr("ssid")
			if isPath && p.Level() == dm.InstanceLevel && p.Object() == securityObject && !isServer {
				id, ok = p.Instance(), true
			}
			return nil
		})
	}
	return id, ok
}
