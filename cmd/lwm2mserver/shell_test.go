//go:build linux || darwin || freebsd

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// asProgram is the variable that makes the test binary the program itself.
const asProgram = "LWM2MSERVER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// screen is what the program has written to its terminal.
type screen struct {
	t    *testing.T
	tty  *os.File
	end  chan error // the exit status
	mu   sync.Mutex
	text string
	more chan struct{} // holds a token after new text
}

// startShell starts the program in a terminal of its own.
func startShell(t *testing.T, args ...string) *screen {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 120})
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	s := &screen{t: t, tty: tty, end: make(chan error, 1), more: make(chan struct{}, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.text += string(b[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
		}
	}()
	go func() { s.end <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = tty.Close()
		<-read
	})
	return s
}

// escapes are the control sequences of a terminal.
var (
	escapes  = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	lineEnds = regexp.MustCompile(`\r+\n`)
)

// expect waits for a text and removes it and all before it.
func (s *screen) expect(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		text := lineEnds.ReplaceAllString(escapes.ReplaceAllString(s.text, ""), "\n")
		at := re.FindStringIndex(text)
		if at != nil {
			s.text = text[at[1]:]
		}
		s.mu.Unlock()
		if at != nil {
			return text[at[0]:at[1]]
		}
		select {
		case <-s.more:
		case <-timeout:
			s.t.Fatalf("the screen does not show %q:\n%s", pattern, text)
		}
	}
}

// expectAll waits for texts in any order, and removes the last one and all before it.
func (s *screen) expectAll(patterns ...string) {
	s.t.Helper()
	for len(patterns) > 0 {
		text := s.expect("(?s).*?(" + strings.Join(patterns, "|") + ")")
		patterns = slices.DeleteFunc(patterns, func(p string) bool { return regexp.MustCompile(p).MatchString(text) })
	}
}

// press types keys.
func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

const (
	tab    = "\t"
	enter  = "\r"
	ctrlC  = "\x03"
	ctrlD  = "\x04"
	arrow  = "\x1b[A" // the arrow up
	prompt = "> $"
)

// A user types in a terminal: completion, history, notifications above the line that is edited, an
// interrupt.
func TestShell(t *testing.T) {
	s := startShell(t, "-listen", "coap://127.0.0.1:0", "-objects", "testdata/heater.xml", "-timeout", "1m")
	uri := strings.Fields(s.expect(`listening at coap://[0-9.:]+`))[2]
	s.expect(prompt)
	d := newDevice(t, lwm2m.Server{URI: uri})
	d.start(t)
	s.expect(`heater-1 registered: LwM2M 1.2, lifetime 1h0m0s\n> $`)

	s.press("rea" + tab)
	s.expect("read $")
	s.press("h" + tab)
	s.expect("heater-1 $")
	s.press("He" + tab)
	s.expect("Heater$")
	s.press("/" + tab)
	s.expect("/0$")
	s.press("/" + tab) // lists what can be read: Boost is missing
	s.expect(`Heater/0/Hours  Heater/0/SetPoint  Heater/0/Temperature\n> (read heater-1 Heater/0/)+$`)
	s.press("s" + tab)
	s.expect("etPoint$")
	s.press(enter)
	s.expect(`2.05 Content\n  /42769/0/1  Set Point  21 Cel\n> $`)

	s.press("observe heater-1 Heater/0/Set Point" + enter)
	s.expect(`observation 1\n.*21 Cel\n> $`)
	s.press("write heater-1 Heater/0/Set Po") // not finished when the notification comes
	s.expect("Set Po$")
	d.setPoint(t, 33)
	s.expect(`\d\d:\d\d:\d\d\.\d{3} heater-1, observation 1: /42769/0/1 Set Point = 33 Cel\n`)
	s.expect(`> write heater-1 Heater/0/Set Po$`)
	s.press("int 34" + enter)
	s.expect(`2.04 Changed\n> $`)
	s.press(arrow + arrow + enter)
	s.expect(`observation 2\n.*34 Cel\n> $`)

	s.press("read heater-1 /42769/0/1; next 7" + enter)
	s.expect(`34 Cel\n`) // the commands run: the terminal is not raw any more
	s.press(ctrlC)
	s.expect(`interrupted\n> $`)
	s.press("quit" + enter)
	s.waitEnd()
}

// The shell completes the arguments of a push, draws a bar, and prints reports above it.
func TestShellDrawsProgress(t *testing.T) {
	s := startShell(t, "-listen", "coap://127.0.0.1:0", "-objects", "testdata/heater.xml")
	uri := strings.Fields(s.expect(`listening at coap://[0-9.:]+`))[2]
	s.expect(prompt)
	startUpdating(t, uri)
	s.expect(`heater-1 registered: .*\n> $`)
	s.press("push h" + tab + "testdata/up" + tab)
	s.expect(`heater-1 testdata/update/$`)
	s.press("heater" + tab)
	s.expect(`heater-2.0.bin $`)
	s.press("5" + tab + "-u" + tab + enter)
	s.expect(`5/0 -update `)
	s.expect(`\r\[#{30}\] 100 %  27 of 27 B\s*\nPUT /5/0/0: 2.04 Changed\n`)
	s.expect(`Update Result 1: the new firmware runs\n> $`)

	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 2_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	s.press("pull heater-1 " + image + enter)
	s.expect(`\r\[#+\.+\]  \d\d %  \d\.\d of 2.0 MB`)
	s.expect(`\r\[#{30}\] 100 %  2.0 of 2.0 MB.*\s*\nState 2: Downloaded\n> $`)
	s.press("quit" + enter)
	s.waitEnd()
}

// The shell shows a bootstrap as it happens, a line for each step, and the registration after it.
func TestShellShowsBootstraps(t *testing.T) {
	s := startShell(t, "-listen", "coap://127.0.0.1:0", "-bootstrap", "testdata/bootstrap/boot.yaml")
	uri := strings.Fields(s.expect(`listening at coap://[0-9.:]+`))[2]
	s.expect(`bootstrapping with testdata/bootstrap/boot.yaml`)
	s.expect(prompt)
	startFactoryDevice(t, "probe-1", lwm2m.Server{URI: uri}, false)
	s.expect(`\d\d:\d\d:\d\d\.\d{3} probe-1 bootstrap: POST /bs\?ep=probe-1&pct=112\n`)
	s.expect(`probe-1 bootstrap: DELETE /1: 2.02 Deleted\n`)
	s.expect(`probe-1 bootstrap: PUT /0/1: 2.04 Changed\n`)
	s.expect(`probe-1 bootstrap: POST /bs: 2.04 Changed\n`)
	s.expect(`probe-1 bootstrapped\n`)
	s.press("wait probe-1; devices" + enter)
	s.expect(`probe-1: LwM2M 1.2, lifetime 5m0s`)
	s.press("bootstrap pro" + tab)
	s.expect("probe-1 $")
	s.press(enter)
	s.expect(`2.04 Changed\n`)
	s.expect(`probe-1 bootstrapped\n`)
	s.press("quit" + enter)
	s.waitEnd()
}

// The shell stays usable while a request waits for a device that sleeps, and prints the answer when
// the device has woken up.
func TestShellWaitsForSleepingDevice(t *testing.T) {
	s := startShell(t, "-listen", "coap://127.0.0.1:0", "-objects", "testdata/heater.xml", "-awake", "500ms", "-timeout", "5s")
	uri := strings.Fields(s.expect(`listening at coap://[0-9.:]+`))[2]
	s.expect(prompt)
	d := newDeviceWith(t, lwm2m.Config{Servers: []lwm2m.Server{{URI: uri}}, QueueMode: &lwm2m.QueueMode{}})
	d.start(t)
	s.expect(`heater-1 registered: LwM2M 1.2, lifetime 1h0m0s, queue mode\n`)
	s.expect(`heater-1 asleep\n> $`)
	s.press("read heater-1 Heater/0/Set Point" + enter)
	s.expect(`heater-1 asleep: read waits until the device wakes up\n> $`)
	s.press("write heater-1 Heater/0/Set Point 33; observe heater-1 42769/0/0" + enter)
	s.expect(`heater-1 asleep: write waits until the device wakes up\n`)
	s.expect(`heater-1 asleep: observe waits until the device wakes up\n> $`)
	s.press("write heater-1 Heater/0/Set Point hot" + enter) // is refused here, at once
	s.expect(`the text is not a decimal number\n`)
	s.press("devices; held" + enter)
	s.expect(`heater-1: LwM2M 1.2, lifetime 1h0m0s, \d+ objects and instances, queue mode, asleep\n`)
	s.expect(`heater-1: GET /42769/0/1\nheater-1: PUT /42769/0/1\nheater-1: GET /42769/0/0\n> $`)

	if err := d.client.Update(1); err != nil {
		t.Fatal(err)
	}
	s.expect(`heater-1 updated\n`)
	s.expect(`heater-1 awake\n`)
	s.expectAll(
		`\d\d:\d\d:\d\d\.\d{3} heater-1 read: 2.05 Content\n  /42769/0/1  Set Point  21 Cel\n`,
		`\d\d:\d\d:\d\d\.\d{3} heater-1 write: 2.04 Changed\n`,
		`\d\d:\d\d:\d\d\.\d{3} heater-1 observe: 2.05 Content, observation 1\n`,
	)
	s.expect(`heater-1 asleep\n> $`)

	s.press("read heater-1 Heater/0/Set Point; restart registrations" + enter)
	s.expectAll(
		`heater-1 forgotten\n`,
		`heater-1 read: lwm2mserver: the device is no longer registered\n`,
	)
	s.press("quit" + enter)
	s.waitEnd()
}

// waitEnd waits until the program has ended, with the exit status 0.
func (s *screen) waitEnd() {
	s.t.Helper()
	select {
	case err := <-s.end:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(20 * time.Second):
		s.t.Error("the program does not end")
	}
}

// Control-D ends the shell, also at the first prompt.
func TestShellEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := startShell(t, "-listen", "coaps://127.0.0.1:0", "-dir", dir)
	s.expect("made new keys in " + regexp.QuoteMeta(dir))
	s.expect(prompt)
	s.press("flags" + enter)
	s.expect(`-server coaps://127.0.0.1:\d+ -psk-identity device -psk-key [0-9a-f]{32}\n`)
	s.expect(prompt)
	s.press(ctrlD)
	s.waitEnd()
}
