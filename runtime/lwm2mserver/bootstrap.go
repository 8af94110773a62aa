package lwm2mserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Bootstrap is one bootstrap sequence: the requests that the server sends to a device after the
// device's Bootstrap-Request, over the same connection.
type Bootstrap struct {
	client   *Client
	endpoint string
	request  Request
	script   []BootstrapStep

	// The loop owns these.
	next  int // the position in script of the next step
	pause sched.Job
	call  *coap.Call // of the step that waits for its response, nil if none does

	// The server's lock guards these.
	results []BootstrapResult
	over    bool
	err     error
}

// BootstrapResult is what became of one step of a bootstrap sequence.
type BootstrapResult struct {
	// Step is the step, and Time is when its response arrived. A step without a request ends as
	// soon as it is performed.
	Step BootstrapStep
	Time time.Time
	// Answer is the response of the device. The zero value means that the step has no response.
	Answer Answer
	// Err is why no response came. The zero value means that the device has responded, or that the
	// step sends no request.
	Err error
}

// String returns the step and its outcome, such as "PUT /0/1: 2.04".
func (r BootstrapResult) String() string {
	switch {
	case r.Err != nil:
		return fmt.Sprintf("%v: %v", r.Step, r.Err)
	case r.Answer.Code != 0:
		return fmt.Sprintf("%v: %v", r.Step, r.Answer)
	}
	return r.Step.String()
}

// errSuperseded ends a sequence when its device asks for another one, or Repeat begins one.
var errSuperseded = errors.New("lwm2mserver: the device has sent another Bootstrap-Request")

// ScriptBootstrap makes the server a bootstrap server for the devices with an endpoint name: it
// answers their Bootstrap-Request (POST /bs) with 2.04 and then performs the steps, one after the
// other. An empty name means every device that has no script of its own. The script applies to
// later Bootstrap-Requests; an empty one accepts the request and sends nothing.
//
// A device without a script gets 4.00 to a Bootstrap-Request, and 4.04 if the server has no script
// at all.
//
//	srv.ScriptBootstrap("heater-7",
//		lwm2mserver.BootstrapDelete("/0"),
//		lwm2mserver.BootstrapDelete("/1"),
//		lwm2mserver.BootstrapAccount(1, lwm2m.Server{URI: "coap://lwm2m.example.com", ShortID: 1}),
//		lwm2mserver.BootstrapFinish(),
//	)
func (s *Server) ScriptBootstrap(endpoint string, steps ...BootstrapStep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[endpoint] = flatten(steps)
}

// FindScript calls find for each Bootstrap-Request of a device for which ScriptBootstrap has set no
// steps. find returns the steps, or false if the device gets 4.00. It runs on the server's
// goroutine and must not call the server. A nil find removes the function.
func (s *Server) FindScript(find func(endpoint string) ([]BootstrapStep, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findScript = find
}

// WaitBootstrap returns the first bootstrap sequence of a device at or after a position, and the
// position behind the sequence. An empty endpoint name accepts every device. A position counts all
// sequences since the start of the server; as many are kept as events (Config.History).
// WaitBootstrap waits for the Bootstrap-Request until ctx ends.
func (s *Server) WaitBootstrap(ctx context.Context, from int, endpoint string) (*Bootstrap, int, error) {
	var b *Bootstrap
	err := s.wait(ctx, func() (ok bool) {
		b, from, ok = s.bootstraps.find(from, func(b *Bootstrap) bool {
			return endpoint == "" || b.endpoint == endpoint
		})
		return ok
	})
	if err != nil {
		return nil, from, fmt.Errorf("lwm2mserver: wait for a Bootstrap-Request of %q: %w", endpoint, err)
	}
	return b, from, nil
}

// Endpoint returns the endpoint name of the device. If the device sends none, it is the identity of
// the DTLS or TLS session.
func (b *Bootstrap) Endpoint() string { return b.endpoint }

// Request returns the Bootstrap-Request.
func (b *Bootstrap) Request() Request { return b.request }

// Client returns the device, for operations that the script does not hold. They use the connection
// of the Bootstrap-Request. The device has no registration.
func (b *Bootstrap) Client() *Client { return b.client }

// Results returns the steps that have been performed so far, with their outcomes.
func (b *Bootstrap) Results() []BootstrapResult {
	b.client.server.mu.Lock()
	defer b.client.server.mu.Unlock()
	return slices.Clone(b.results)
}

// All yields the outcome of each step as soon as there is one, from the first step on, until the
// sequence is over or ctx ends. Wait says why a sequence is over.
func (b *Bootstrap) All(ctx context.Context) iter.Seq[BootstrapResult] {
	return func(yield func(BootstrapResult) bool) {
		for n := 0; ; n++ {
			var r BootstrapResult
			more := false
			err := b.client.server.wait(ctx, func() bool {
				if more = n < len(b.results); more {
					r = b.results[n]
				}
				return more || b.over
			})
			if err != nil || !more || !yield(r) {
				return
			}
		}
	}
}

// Finished reports whether the device has answered the Bootstrap-Finish of the script with 2.04. A
// Bootstrap-Pack counts when it is sent, because a device does not say whether it accepts one.
func (b *Bootstrap) Finished() bool {
	return slices.ContainsFunc(b.Results(), func(r BootstrapResult) bool {
		return r.Step.finishes() && r.Answer.Code == coap.Changed || r.Step.pack.isWhole()
	})
}

// Wait waits until the script has ended or ctx ends. The error says why the script has ended before
// its last step: a response did not come, or was a refusal, or the device has sent another
// Bootstrap-Request.
func (b *Bootstrap) Wait(ctx context.Context) error {
	var reason error
	err := b.client.server.wait(ctx, func() bool { reason = b.err; return b.over })
	if err != nil {
		return fmt.Errorf("lwm2mserver: wait for the end of the bootstrap of %q: %w", b.endpoint, err)
	}
	return reason
}

// String returns the endpoint name and the outcome of each step, a line for each. It lists steps
// that have not been performed as "not performed".
func (b *Bootstrap) String() string {
	lines := []string{fmt.Sprintf("bootstrap of %q", b.endpoint)}
	results := b.Results()
	for _, r := range results {
		lines = append(lines, r.String())
	}
	for _, step := range b.script[min(len(results), len(b.script)):] {
		lines = append(lines, fmt.Sprintf("%v: not performed", step))
	}
	return strings.Join(lines, "\n\t")
}

// handleBootstrap answers a Bootstrap-Request and begins the sequence.
func (s *Server) handleBootstrap(c *conn, r Request) Reply {
	name := cmp.Or(r.params()["ep"], c.identity)
	s.mu.Lock()
	script, ok := s.scripts[name]
	if !ok {
		script, ok = s.scripts[""]
	}
	find, none := s.findScript, len(s.scripts) == 0 && s.findScript == nil
	s.mu.Unlock()
	if !ok && find != nil && name != "" {
		script, ok = find(name)
		script = flatten(script)
	}
	switch {
	case none:
		return Reply{Code: coap.NotFound}
	case !ok || name == "":
		return Reply{Code: coap.BadRequest}
	}
	client := s.newClient(c)
	b := &Bootstrap{client: client, endpoint: name, request: r, script: script}
	s.sched.Post(b.advance) // after the response
	b.begin()
	return Reply{Code: coap.Changed}
}

// begin makes b the sequence of its device. It runs on the loop.
func (b *Bootstrap) begin() {
	s := b.client.server
	if earlier := s.bootstrapping[b.endpoint]; earlier != nil {
		earlier.end(errSuperseded)
	}
	s.bootstrapping[b.endpoint] = b
	s.change(func() { s.bootstraps.add(b) })
}

// Repeat performs steps on the device of b, over the connection of b and without a
// Bootstrap-Request: what LwM2M 1.0 calls a server-initiated bootstrap, which a device may ignore.
// Without steps it performs those of b. It ends a sequence of the device that is not over.
func (b *Bootstrap) Repeat(steps ...BootstrapStep) *Bootstrap {
	script := flatten(steps)
	if len(steps) == 0 {
		script = b.script
	}
	again := &Bootstrap{client: b.client, endpoint: b.endpoint, request: b.request, script: script}
	b.client.server.sched.Post(func() {
		again.begin()
		again.advance()
	})
	return again
}

// advance performs the next step after its pause, or ends the sequence. It runs on the loop, as all
// methods below.
func (b *Bootstrap) advance() {
	switch {
	case b.Over():
	case b.next == len(b.script):
		b.end(nil)
	default:
		step := b.script[b.next]
		b.next++
		b.pause = sched.Job{Func: func() { b.perform(step) }}
		b.client.server.sched.After(&b.pause, step.Pause)
	}
}

// perform performs one step.
func (b *Bootstrap) perform(step BootstrapStep) {
	conn := b.client.conn
	result := BootstrapResult{Step: step}
	switch {
	case step.Drop:
		b.record(result)
		b.end(nil)
		conn.close(errors.New("lwm2mserver: the script drops the connection"))
		return
	case step.Raw != nil:
		result.Err = conn.sock.Send(step.Raw)
	case step.err != nil:
		result.Err = step.err
	case step.Operation.Method != 0:
		var op Operation
		op, result.Err = step.operation(b.request.preferredFormat())
		if result.Err == nil && step.Prepare != nil {
			result.Err = step.Prepare(&op, b.Results())
			result.Step.Operation.Path = op.Path
			step.Operation.Path = op.Path
		}
		if result.Err != nil {
			break
		}
		b.call = b.client.newCall(op)
		b.call.Done = func(r coap.Result) { b.onResponse(step, r) }
		if result.Err = conn.coap.Do(b.call); result.Err == nil {
			return // onResponse continues
		}
	}
	b.record(result)
	b.proceed(result)
}

// onResponse records the response to the request of a step.
func (b *Bootstrap) onResponse(step BootstrapStep, r coap.Result) {
	b.call = nil
	if b.Over() {
		return
	}
	result := BootstrapResult{Step: step}
	result.Answer, result.Err = b.client.newAnswer(step.Operation.Path, cloneResult(r))
	b.record(result)
	b.proceed(result)
}

// proceed continues after a step, or ends the sequence if the step has failed.
func (b *Bootstrap) proceed(r BootstrapResult) {
	switch {
	case r.Err != nil:
		b.end(fmt.Errorf("lwm2mserver: %v: %w", r.Step, r.Err))
	case r.Answer.Code.IsError() && !r.Step.IgnoreError:
		b.end(fmt.Errorf("lwm2mserver: the device refuses %v", r))
	default:
		b.advance()
	}
}

// record adds the outcome of a step.
func (b *Bootstrap) record(r BootstrapResult) {
	r.Time = time.Now()
	b.client.server.change(func() { b.results = append(b.results, r) })
}

// Over reports whether the sequence has ended. Wait says why.
func (b *Bootstrap) Over() bool {
	b.client.server.mu.Lock()
	defer b.client.server.mu.Unlock()
	return b.over
}

// end ends the sequence. A nil reason means that the script has been performed.
func (b *Bootstrap) end(reason error) {
	s := b.client.server
	s.sched.Cancel(&b.pause)
	s.change(func() { b.over, b.err = true, reason })
	if s.bootstrapping[b.endpoint] == b {
		delete(s.bootstrapping, b.endpoint)
	}
	if b.call != nil {
		b.call.Cancel()
	}
}
