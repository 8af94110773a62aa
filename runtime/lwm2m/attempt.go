package lwm2m

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// attempt is what a registration and a bootstrap have in common: one request in flight, one timer,
// and the reason of the last failure.
type attempt struct {
	sched *sched.Scheduler
	log   *slog.Logger

	call    *coap.Call // the request in flight
	overdue sched.Job  // ends a request whose response does not become complete
	slow    sched.Job  // shows that an attempt has no response yet
	timer   sched.Job  // the one timer, see account.Timer and bootstrap.Timer
	timerAt time.Time  // when timer fires
	err     error      // the last failure, nil after a success

	refusedAt sched.Time // when the network refused the attempt, see countsRefusal
}

// do sends a request and calls done with the result, unless the request is cancelled. A response
// that has not arrived as a whole within the time of patience counts as none.
func (a *attempt) do(conn *coap.Conn, call *coap.Call, patience time.Duration, done func(coap.Result)) {
	finish := func(r coap.Result) {
		if a.call == call {
			a.call = nil
			done(r)
		}
	}
	a.call = call
	a.overdue.Func = func() {
		if a.call == call {
			a.call = nil
			call.Cancel()
			done(coap.Result{Err: coap.ErrTimeout, Last: true})
		}
	}
	a.sched.After(&a.overdue, patience)
	call.Done = finish
	if err := conn.Do(call); err != nil {
		finish(coap.Result{Err: err, Last: true})
	}
}

// cancelRequest cancels the request in flight.
func (a *attempt) cancelRequest() {
	call := a.call
	a.call = nil
	call.Cancel()
}

// stopWaiting stops the jobs that wait for what is not under way any more.
func (a *attempt) stopWaiting(requesting, connecting bool) {
	if requesting {
		return
	}
	a.sched.Cancel(&a.overdue)
	if !connecting {
		a.sched.Cancel(&a.slow)
	}
}

// startTimer starts the timer, with a random time of up to spread on top.
func (a *attempt) startTimer(wait, spread time.Duration) {
	if spread > 0 {
		wait += rand.N(spread)
	}
	a.sched.After(&a.timer, wait)
	a.timerAt = time.Now().Add(wait)
}

func (a *attempt) stopTimer() {
	a.sched.Cancel(&a.timer)
	a.timerAt = time.Time{}
}

// noteStall records an early sign that an attempt fails as the reason in Status, and logs it once.
func (a *attempt) noteStall(err error) {
	if a.err == nil || a.err.Error() != err.Error() {
		a.log.Info("an attempt may fail", "reason", err.Error())
	}
	a.err = err
}

// answered drops the sign of an attempt that has got an answer after all.
func (a *attempt) answered() {
	var sign *stallError
	if errors.As(a.err, &sign) {
		a.err = nil
	}
}

// isSilent reports whether the last attempt got no answer, so that another address of the server
// may be worth a try.
func (a *attempt) isSilent() bool {
	return errors.Is(a.err, coap.ErrTimeout) || errors.Is(a.err, socket.ErrRefused)
}

// pauseAskedFor returns the pause that a server asks for with an error (RFC 7252 §5.9.3.4, RFC
// 8516), 0 for none.
func (c *Client) pauseAskedFor(r coap.Result) time.Duration {
	wait, ok := r.Options.Uint(coap.OptionMaxAge)
	if !ok || r.Code != coap.ServiceUnavailable && r.Code != coap.TooManyRequests {
		return 0
	}
	return min(seconds(uint64(wait)), c.cfg.MaxServerPause)
}
