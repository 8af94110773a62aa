package lwm2m_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// lifecyclePage has the table of lifecycleRows.
const lifecyclePage = "../../docs/lifecycle.md"

// lifecycleRow is a row of the table "What happens when" of docs/lifecycle.md, and its test.
type lifecycleRow struct {
	event   string
	notices string // what the device notices
	sends   string // update, register or nothing
	// within is the time, counted from since, after which the server knows the device again. The
	// zero value means at once.
	within       time.Duration
	since        string
	observations string // goOn, end or isRejected
	stored       string // what becomes of a change in the meantime: delivered, lost, none, ...
	deferred     string // what becomes of a deferred Send in the meantime: follows, or none

	setting moveSetting
	// run lets it happen and returns when the time of within begins. A change of the meantime has
	// the value meantime.
	run func(m *moving) time.Time
}

const (
	update, register, nothing  = "Update", "Register", "nothing"
	goOn, end, isRejected      = "go on", "end", "end where the server rejects the notification"
	arrives                    = "arrives"
	delivered, isDropped, lost = "sent with its time", "dropped, or reported by Send", "lost"
	rejectedToo                = "dropped where the server rejects it"
	lastUpdate                 = "the last Update"
	follows, none              = "follows", "-"
)

// meantime is the temperature during an outage.
const meantime = 7

// transmitWait is MAX_TRANSMIT_WAIT, how long a request without a response takes.
const transmitWait = 93 * time.Second

func lifecycleRows() []lifecycleRow {
	udp, tcp := moveSetting{}, moveSetting{scheme: "coap+tcp"}
	dtls, cid := moveSetting{scheme: "coaps"}, moveSetting{scheme: "coaps", cid: true}
	with := func(s moveSetting, change func(*moveSetting)) moveSetting { change(&s); return s }
	con := func(s moveSetting) moveSetting { return with(s, func(s *moveSetting) { s.con = true }) }
	hour := func(s moveSetting) moveSetting { return with(s, func(s *moveSetting) { s.lifetime = time.Hour }) }
	keeps := func(s moveSetting) moveSetting {
		return with(s, func(s *moveSetting) {
			s.change = func(c *lwm2m.Config) { c.ResumptionKeepsRegistration = true }
		})
	}
	behind := func(s moveSetting) moveSetting { return with(s, func(s *moveSetting) { s.nat = true }) }
	const sessions, both = lwm2mserver.LoseSessions, lwm2mserver.LoseSessions | lwm2mserver.LoseRegistrations
	const byCall, silence = "your call", "no response"
	return []lifecycleRow{
		{"`Suspend` and `Resume`, UDP", byCall, update, 0, "`Resume`", goOn, delivered, follows, udp, suspended()},
		{"`Suspend` and `Resume`, DTLS with a Connection ID", byCall, update, 0, "`Resume`", goOn, delivered, follows, cid, suspended()},
		{"`Suspend` and `Resume`, DTLS without a Connection ID", byCall, register, 0, "`Resume`", end, isDropped, follows, dtls, suspended()},
		{"`Suspend` and `Resume`, DTLS without a Connection ID, `ResumptionKeepsRegistration`", byCall, update, 0, "`Resume`", isRejected, rejectedToo, follows, keeps(dtls), suspended()},
		{"`Suspend` and `Resume` of the scheme `coap+tcp`", byCall, register, 0, "`Resume`", end, isDropped, follows, tcp, suspended("coap+tcp")},
		{"another IP address of the device and `Reconnect`, UDP", byCall, register, 0, "`Reconnect`", end, none, none, udp, reconnects(moves)},
		{"another IP address of the device and `Reconnect`, DTLS with a Connection ID", byCall, update, 0, "`Reconnect`", goOn, none, none, cid, reconnects(moves)},
		{"another IP address of the device, a confirmable notification is due", silence, register, 2 * transmitWait, "the notification", end, isDropped, none, con(udp), notifies(moves)},
		{"another IP address of the device, the system refuses to send, UDP", "the error", register, 0, "the notification", end, lost, none, withBrokenSend(udp), notifies(breaksSend)},
		{"another IP address of the device, the system refuses to send, DTLS with a Connection ID", "the error", update, 0, "the notification", goOn, arrives, none, withBrokenSend(cid), notifies(breaksSend)},
		{"another IP address of the device, the system refuses to send an Update, DTLS with a Connection ID", "the error", update, time.Hour, lastUpdate, goOn, none, none, withBrokenSend(hour(cid)), waits(breaksSend)},
		{"another IP address of the device, nothing is due", silence, register, time.Hour, lastUpdate, end, none, none, hour(udp), waits(moves)},
		{"another IP address of the device, TCP, a notification is due", "the end of the stream", register, 2 * time.Minute, "the notification, or as the system decides", end, lost, none, tcp, notifies(moves)},
		{"another IP address of the device, TCP, nothing is due", "no response", register, time.Hour + transmitWait, lastUpdate, end, none, none, hour(tcp), waits(moves)},
		{"the server does not answer an Update, TCP", "no response", register, time.Hour + transmitWait, lastUpdate, end, none, none, hour(tcp), waits(serverFreezes)},
		{"another address of the server, a confirmable notification is due", silence, register, 2 * transmitWait, "the notification", end, isDropped, none, con(dtls), notifies(serverMoves)},
		{"one of two addresses of the server is dead", silence, register, time.Hour, lastUpdate, end, none, none, hour(udp), waits(firstAddressDies)},
		{"a NAT rebinds, UDP", "nothing, or a Reset", update, 0, "the notification", isRejected, lost, none, behind(udp), notifies(rebinds)},
		{"a NAT rebinds, DTLS with a Connection ID", "nothing", nothing, 0, "", goOn, arrives, none, behind(cid), notifies(rebinds)},
		{"a NAT rebinds, DTLS without a Connection ID, a confirmable notification is due", silence, register, 2 * transmitWait, "the notification", end, isDropped, none, behind(con(dtls)), notifies(rebinds)},
		{"a NAT rebinds, DTLS without a Connection ID, nothing is due", silence, register, time.Hour, lastUpdate, end, none, none, behind(hour(dtls)), waits(rebinds)},
		{"the host sleeps for 12 h, longer than the lifetime", "its clock", register, 0, "waking", end, none, none, hour(udp), waits(sleeps)},
		{"the host sleeps for 12 h, shorter than the lifetime", "its clock", update, 0, "waking", goOn, none, none, udp, waits(sleeps)},
		{"the server restarts without its sessions, DTLS, a confirmable notification is due", silence, register, 2 * transmitWait, "the notification", end, isDropped, none, con(dtls), notifies(restarts(sessions))},
		{"the server restarts without its sessions, DTLS with a Connection ID, nothing is due", silence, register, time.Hour, lastUpdate, end, none, none, hour(cid), waits(restarts(sessions))},
		{"the server restarts without its sessions, DTLS, and answers with alerts", "plaintext alerts", register, 9 * time.Second, "the first alert", end, lost, none, dtls, alerts},
		{"the server restarts without its sessions, TCP", "the end of the stream", register, 0, "the restart", end, none, none, tcp, waits(restarts(sessions))},
		{"the server restarts without its registrations, a notification is due", "a Reset, 4.04", register, 0, "the notification", end, lost, none, udp, notifies(restarts(both))},
		{"the server restarts without its registrations, nothing is due", "4.04", register, time.Hour, lastUpdate, end, none, none, hour(udp), waits(restarts(both))},
		{"the server ends the DTLS connection (close_notify, a fatal alert)", "the alert", register, 0, "the alert", end, none, none, dtls, waits(serverCloses)},
		{"the server's port refuses datagrams for 2 s, a notification is due", "the refusal", register, 3 * time.Second, "the notification", end, lost, none, udp, refuses(2 * time.Second)},
		{"the server's port refuses datagrams for a minute, a notification is due", "two refusals", register, 70 * time.Second, "the notification", end, lost, none, dtls, refuses(time.Minute)},
		{"the name of the server is not found for a day", "the answer of the name service", register, time.Hour, "the name is found", end, isDropped, follows, dtls, nameIsLost},
		{"the name of the server is not found for a day, and the device has a bootstrap server", "the answer of the name service", register, 90 * time.Minute, "the name is found", end, isDropped, follows, withBootstrap(dtls), nameIsLost},
	}
}

// TestLifecycle lets everything happen that docs/lifecycle.md says, row by row.
func TestLifecycle(t *testing.T) {
	for _, row := range lifecycleRows() {
		t.Run(row.event, func(t *testing.T) {
			onMoving(t, row.setting, func(m *moving) { row.play(m) })
		})
	}
}

// play lets the event of the row happen and compares what follows with the row.
func (row *lifecycleRow) play(m *moving) {
	t := m.t
	registered := m.server.Events()[0].Time
	at := row.run(m)
	if row.since == lastUpdate {
		at = registered
	}
	if row.sends != nothing {
		kind, back := m.again()
		if want := map[string]lwm2mserver.EventKind{update: lwm2mserver.Updated, register: lwm2mserver.Registered}[row.sends]; kind != want {
			t.Errorf("the device was %s, want %s", kind, want)
		}
		shortest := row.within * 2 / 3
		if row.setting.random {
			shortest = 0
		}
		if d := back.Sub(at); d > row.within || d < shortest {
			t.Errorf("the server knew the device after %v, want %v", d, row.within)
		}
	}
	came := row.stored != none && m.arrives(meantime)
	if came != (row.stored == delivered || row.stored == arrives) {
		t.Errorf("the change has arrived: %v, want that it is %s", came, row.stored)
	}
	// A notification that is still repeated when the Register ends the observation was not stored.
	repeated := row.setting.con && row.stored == isDropped
	drops := row.stored == isDropped || row.stored == rejectedToo
	if d := m.status().Dropped; (d > 0) != drops && !repeated {
		t.Errorf("%d changes were dropped, want that it is %s", d, row.stored)
	}
	if row.deferred == follows {
		select {
		case o := <-m.sent:
			if o != lwm2m.SendAcknowledged {
				t.Errorf("the Send is %v", o)
			}
		case <-time.After(time.Minute):
			t.Error("the Send does not follow")
		}
	}
	m.measures(99)
	if goes := m.arrives(99); goes != (row.observations == goOn) {
		t.Errorf("the observation goes on: %v, want that it is %s", goes, row.observations)
	}
	if s := m.status(); !s.State.Registered() {
		t.Errorf("status %v", s)
	}
}

// The table of docs/lifecycle.md is that of the test.
func TestLifecycleTable(t *testing.T) {
	const begin, end = "<!-- begin moves -->\n", "<!-- end moves -->"
	var b strings.Builder
	b.WriteString("| event | the device notices | and sends | known again | observations | a change in the meantime | a deferred Send |\n|---|---|---|---|---|---|---|\n")
	for _, r := range lifecycleRows() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.event, r.notices, r.sends, r.known(), r.observations, r.stored, r.deferred)
	}
	text, err := os.ReadFile(lifecyclePage)
	must(t, err)
	before, rest, ok1 := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok1 || !ok2:
		t.Fatalf("%s has no place for the table", lifecyclePage)
	case *updatePictures:
		must(t, os.WriteFile(lifecyclePage, []byte(before+begin+b.String()+end+after), 0o644))
	case table != b.String():
		t.Errorf("the table of %s is not that of the test; run the test with -update", lifecyclePage)
	}
}

// known says when the server knows the device again.
func (row *lifecycleRow) known() string {
	switch {
	case row.sends == nothing:
		return "stays known"
	case row.within == 0:
		return "at once after " + row.since
	case row.since == lastUpdate && row.within == time.Hour:
		return "a lifetime after " + row.since
	case row.since == lastUpdate:
		return "a lifetime and " + inWords(row.within-time.Hour) + " after " + row.since
	}
	return inWords(row.within) + " after " + row.since
}

// inWords returns d as pages write times, such as 3 min 6 s.
func inWords(d time.Duration) string {
	text := strings.NewReplacer("h", " h ", "m", " min ", "s", " s").Replace(d.String())
	return strings.TrimSuffix(strings.TrimSuffix(text, " 0 s"), " 0 min")
}
