package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

var update = flag.Bool("update", false, "write the golden files of the sessions")

// times are the times of reports, which golden files show as TIME.
var times = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}|"time":"[^"]*"`)

// newProgram starts a server with the heater's definition.
func newProgram(t *testing.T, o options, uris ...string) *program {
	t.Helper()
	addresses, err := parseAddresses(uris)
	if err != nil {
		t.Fatal(err)
	}
	o.objects, o.dir = list{"testdata/heater.xml"}, filepath.Join(t.TempDir(), "keys")
	if o.timeout == 0 {
		o.timeout = 10 * time.Second
	}
	p, err := start(o, addresses)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.server.Close)
	return p
}

// TestSessions runs the commands of the files testdata/*.session on a device and compares what they
// print. A line that begins with > is a command. A line that begins with ! is a set point that the
// device's own program sets; it waits for a notification. The other lines are output; the last one
// of a command that fails is its exit status.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.session")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newProgram(t, options{json: strings.Contains(file, "json")}, "coap://127.0.0.1:0")
			d := newDevice(t, lwm2m.Server{URI: p.server.URI()})
			d.start(t)
			got := playSession(t, p, d, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s differs; with -update it becomes:\n%s", file, got)
			}
		})
	}
}

// output collects what a session prints.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // holds a token after a report
}

func (o *output) Write(b []byte) (int, error) {
	o.writeLine(string(b))
	select {
	case o.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (o *output) writeLine(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.WriteString(line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// playSession runs the commands of a session, each with its own exit status, and returns the
// session with what they print.
func playSession(t *testing.T, p *program, d *testDevice, session string) string {
	out := &output{more: make(chan struct{}, 1)}
	s := p.newSession(out, nil)
	defer s.Close()
	for line := range strings.Lines(session) {
		if text, ok := strings.CutPrefix(line, "! "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			out.writeLine(line)
			select {
			case <-out.more: // of the commands before
			default:
			}
			d.setPoint(t, v)
			select {
			case <-out.more:
			case <-time.After(10 * time.Second):
				t.Error("no notification has come")
			}
		}
		if command, ok := strings.CutPrefix(line, "> "); ok {
			out.writeLine(line)
			code := p.runLine(t.Context(), s, strings.TrimSpace(command), out, out)
			if code > 0 {
				out.writeLine("exit status " + strconv.Itoa(code) + "\n")
			}
		}
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			out.writeLine(line)
		}
	}
	return times.ReplaceAllStringFunc(out.String(), func(at string) string {
		if strings.HasPrefix(at, `"`) {
			return `"time":"TIME"`
		}
		return "TIME"
	})
}

// TestExitStatus runs whole command lines.
func TestExitStatus(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	base := []string{"-listen", "coap://127.0.0.1:0", "-dir", keys, "-timeout", "20ms"}
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"-c", "devices; help"}, 0, ""},
		{[]string{"-c", "wait heater-1"}, 1, `lwm2mserver: "heater-1" did not register within 20ms; no device is registered yet`},
		{[]string{"-c", "read heater-1 3/0"}, 1, `lwm2mserver: "heater-1" is not registered; no device is registered yet`},
		{[]string{"-c", "reed heater-1 3/0"}, 2, `lwm2mserver: there is no command "reed"; help lists all`},
		{[]string{"-c", "read heater-1"}, 2, "lwm2mserver: usage: read DEVICE PATH"},
		{[]string{"-c", "next 2"}, 1, "lwm2mserver: 2 of 2 notifications did not come within 20ms"},
		{[]string{"-c", "wait-bootstrap heater-1"}, 1, `lwm2mserver: "heater-1" has sent no Bootstrap-Request within 20ms`},
		{[]string{"-c", "script heater-1"}, 1, `lwm2mserver: there is no bootstrap file for "heater-1": name one with script heater-1 FILE`},
		{[]string{"-c", "quit; reed"}, 0, ""},
		{[]string{"-c", ""}, 0, ""},
		{nil, 0, ""}, // the input is empty
		{[]string{"devices"}, 2, `lwm2mserver: "devices" is no flag; commands stand behind -c, in quotes`},
		{[]string{"-listen", "udp://127.0.0.1"}, 2, "write SCHEME://ADDRESS"},
		{[]string{"-listen", "coap://example.com"}, 2, `"example.com" is no IP address`},
		{[]string{"-objects", "none.xml"}, 1, "lwm2mserver: -objects: "},
	} {
		var out, errs bytes.Buffer
		status := run(append(base[:len(base):len(base)], c.args...), strings.NewReader(""), &out, &errs)
		if status != c.status || !strings.Contains(errs.String(), c.stderr) || c.stderr == "" && errs.Len() > 0 {
			t.Errorf("%q: status %d, %s, want %d, %s", c.args, status, &errs, c.status, c.stderr)
		}
	}
}

// A script waits for a device that sleeps, until the time-out.
func TestScriptWaitsForSleepingDevice(t *testing.T) {
	p := newProgram(t, options{awake: 50 * time.Millisecond, timeout: 200 * time.Millisecond}, "coap://127.0.0.1:0")
	d := newDeviceWith(t, lwm2m.Config{Servers: []lwm2m.Server{{URI: p.server.URI()}}, QueueMode: &lwm2m.QueueMode{}})
	d.start(t)
	if _, _, err := p.server.WaitEvent(t.Context(), 0, func(e lwm2mserver.Event) bool { return e.Kind == lwm2mserver.Asleep }); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	s := p.newSession(&out, nil)
	defer s.Close()
	status := p.runLine(t.Context(), s, "read heater-1 Heater/0/Set Point", &out, &errs)
	if want := "heater-1 asleep: read waits until the device wakes up\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the script prints %q, want %q", &out, want)
	}
	if want := "lwm2mserver: no answer within 200ms: the device is asleep\n"; status != 1 || errs.String() != want {
		t.Errorf("status %d, %q, want %q", status, &errs, want)
	}
}

// A port in use is named with what to do.
func TestPortInUse(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp"} {
		p := newProgram(t, options{}, scheme+"://127.0.0.1:0")
		addr := p.server.Addr().String()
		var errs bytes.Buffer
		status := run([]string{"-listen", scheme + "://" + addr, "-c", ""}, strings.NewReader(""), io.Discard, &errs)
		want := "lwm2mserver: " + addr + " is in use: end the other server, or choose another port with -listen " + scheme +
			"://127.0.0.1:PORT\n"
		if status != 1 || errs.String() != want {
			t.Errorf("status %d, %s, want %s", status, &errs, want)
		}
	}
}
