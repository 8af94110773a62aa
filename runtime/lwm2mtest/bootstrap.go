package lwm2mtest

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

type (
	// Bootstrap is one bootstrap sequence.
	Bootstrap = lwm2mserver.Bootstrap
	// BootstrapResult is what became of one step of a bootstrap sequence.
	BootstrapResult = lwm2mserver.BootstrapResult
	// BootstrapStep is one step of the script of a bootstrap sequence.
	BootstrapStep = lwm2mserver.BootstrapStep
	// BootstrapPack is an answer to a Bootstrap-Pack-Request.
	BootstrapPack = lwm2mserver.BootstrapPack
	// Account is what a device needs to know of a server, such as a lwm2m.Server.
	Account = lwm2mserver.Account
)

// BootstrapAccount returns a step that writes an account, as lwm2mserver.BootstrapAccount does.
func BootstrapAccount(id dm.InstanceID, a Account) BootstrapStep {
	return lwm2mserver.BootstrapAccount(id, a)
}

// BootstrapWriteObject returns a step that writes every instance of an object, as
// lwm2mserver.BootstrapWriteObject does.
func BootstrapWriteObject(o dm.Object) BootstrapStep { return lwm2mserver.BootstrapWriteObject(o) }

// BootstrapWriteValues returns a step that writes values, as lwm2mserver.BootstrapWriteValues does.
func BootstrapWriteValues(path string, entries ...dm.Entry) BootstrapStep {
	return lwm2mserver.BootstrapWriteValues(path, entries...)
}

// BootstrapWrite returns a step that writes, as lwm2mserver.BootstrapWrite does.
func BootstrapWrite(path string, f content.Format, payload []byte) BootstrapStep {
	return lwm2mserver.BootstrapWrite(path, f, payload)
}

// BootstrapDelete returns a step that deletes, as lwm2mserver.BootstrapDelete does.
func BootstrapDelete(path string) BootstrapStep { return lwm2mserver.BootstrapDelete(path) }

// BootstrapDiscover returns a step that lists instances, as lwm2mserver.BootstrapDiscover does.
func BootstrapDiscover(path string) BootstrapStep { return lwm2mserver.BootstrapDiscover(path) }

// BootstrapRead returns a step that reads, as lwm2mserver.BootstrapRead does.
func BootstrapRead(path string, accept content.Format) BootstrapStep {
	return lwm2mserver.BootstrapRead(path, accept)
}

// BootstrapFinish returns the step that ends a sequence, as lwm2mserver.BootstrapFinish does.
func BootstrapFinish() BootstrapStep { return lwm2mserver.BootstrapFinish() }

// WaitBootstrap returns the first bootstrap sequence of a device at or after position from, and the
// position behind the sequence. It waits up to a minute for the Bootstrap-Request and then fails
// the test. An error of a device of Run fails the test at once.
func (s *Server) WaitBootstrap(from int, endpoint string) (*Bootstrap, int) {
	s.t.Helper()
	_, failed := s.devices.contexts()
	ctx, cancel := context.WithTimeoutCause(failed, waitTimeout, errTimeout)
	defer cancel()
	b, next, err := s.Server.WaitBootstrap(ctx, from, endpoint)
	if err != nil {
		s.t.Fatalf("lwm2mtest: %q has sent no Bootstrap-Request: %v", endpoint, s.explain(ctx, err))
	}
	return b, next
}

// RequireBootstrapped returns the first bootstrap sequence that a device has completed: it has
// answered Bootstrap-Finish with 2.04, and the script has ended. It waits up to a minute and then
// fails the test with what the last sequence has led to. An error of a device of Run fails the test
// at once.
func (s *Server) RequireBootstrapped(endpoint string) *Bootstrap {
	s.t.Helper()
	_, failed := s.devices.contexts()
	ctx, cancel := context.WithTimeoutCause(failed, waitTimeout, errTimeout)
	defer cancel()
	var last *Bootstrap
	for from := 0; ; {
		b, next, err := s.Server.WaitBootstrap(ctx, from, endpoint)
		if err == nil {
			last, from = b, next
			err = b.Wait(ctx)
		}
		switch {
		case err == nil && b.Finished():
			return b
		case ctx.Err() == nil && last == b:
			continue // this sequence has failed; another one may follow
		case last == nil:
			s.t.Fatalf("lwm2mtest: %q has sent no Bootstrap-Request: %v", endpoint, s.explain(ctx, err))
		default:
			s.t.Fatalf("lwm2mtest: the bootstrap is not complete: %v; the last one is %v", s.explain(ctx, err), last)
		}
	}
}
