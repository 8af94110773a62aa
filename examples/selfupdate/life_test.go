package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aead.dev/minisign"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// patience is how long a test waits for what has no time of its own.
const patience = 30 * time.Second

const endpoint = "probe-1"

// builds are the versions of the program that tests have built.
var builds = struct {
	sync.Mutex
	dir   string
	paths map[string]string
}{paths: map[string]string{}}

func TestMain(m *testing.M) {
	code := m.Run()
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
	}
	os.Exit(code)
}

// build returns the path of a version of the program.
func build(t *testing.T, version string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if path, ok := builds.paths[version]; ok {
		return path
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "selfupdate")
		must(t, err)
		builds.dir = dir
	}
	path := filepath.Join(builds.dir, "probe-"+version)
	out, err := exec.Command("go", "build", "-ldflags", "-s -w -X main.version="+version, "-o", path, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	builds.paths[version] = path
	return path
}

// newKeys makes a pair of keys, of which the public one is also in a file.
func newKeys(t *testing.T) (key minisign.PrivateKey, file string) {
	t.Helper()
	public, key, err := minisign.GenerateKey(nil)
	must(t, err)
	text, err := public.MarshalText()
	must(t, err)
	file = filepath.Join(t.TempDir(), "probe.pub")
	must(t, os.WriteFile(file, text, 0o600))
	return key, file
}

// life is a device whose supervisor is a process of its own.
type life struct {
	*testing.T
	srv  *lwm2mtest.Server
	dev  *lwm2mtest.Client
	dir  string
	path string // of the program
	args []string
	key  minisign.PrivateKey

	cmd  *exec.Cmd
	read chan struct{} // closed when everything that cmd prints is read

	mu    sync.Mutex
	lines []string      // that the device has printed
	more  chan struct{} // closed when there are more
	from  int           // the first line that await has not seen
}

// newLife installs version 1.0.0 and starts it.
func newLife(t *testing.T, srv *lwm2mtest.Server, args ...string) *life {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and runs programs")
	}
	key, public := newKeys(t)
	l := &life{T: t, srv: srv, dir: t.TempDir(), key: key, more: make(chan struct{})}
	l.path = filepath.Join(l.dir, "probe")
	content, err := os.ReadFile(build(t, "1.0.0"))
	must(t, err)
	must(t, os.WriteFile(l.path, content, 0o755))
	l.args = append([]string{"run", "-server", srv.URI(), "-endpoint", endpoint, "-dir", filepath.Join(l.dir, "state"),
		"-public-key", public}, args...)
	l.start()
	t.Cleanup(func() {
		l.stop()
		if t.Failed() {
			t.Log("the device printed:\n" + strings.Join(l.lines, "\n"))
		}
	})
	l.await("version 1.0.0 is registered")
	l.dev = srv.WaitRegistered(endpoint)
	return l
}

// in lets a subtest use the device. The returned function ends that.
func (l *life) in(t *testing.T) func() {
	parent := l.T
	l.T = t
	return func() { l.T = parent }
}

// start starts the supervisor.
func (l *life) start() {
	l.Helper()
	l.cmd = exec.Command(l.path, l.args...)
	out, err := l.cmd.StdoutPipe()
	must(l.T, err)
	l.cmd.Stderr = l.cmd.Stdout
	must(l.T, l.cmd.Start())
	read := make(chan struct{})
	l.read = read
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			l.mu.Lock()
			l.lines = append(l.lines, lines.Text())
			close(l.more)
			l.more = make(chan struct{})
			l.mu.Unlock()
		}
	}()
}

// await waits until the device prints a line that contains text, and returns the line.
func (l *life) await(text string) string {
	l.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		more := l.more
		i := slices.IndexFunc(l.lines[l.from:], func(line string) bool { return strings.Contains(line, text) })
		if i >= 0 {
			line := l.lines[l.from+i]
			l.from += i + 1
			l.mu.Unlock()
			return line
		}
		l.mu.Unlock()
		select {
		case <-more:
		case <-timeout:
			l.Fatalf("the device has not printed %q within %v", text, patience)
		}
	}
}

// stop ends the device in order.
func (l *life) stop() {
	_ = l.cmd.Process.Signal(os.Interrupt)
	stuck := time.AfterFunc(patience, func() { _ = l.cmd.Process.Kill() })
	defer stuck.Stop()
	<-l.read
	_ = l.cmd.Wait()
}

// kill ends the supervisor and other processes as a crash does. The device notices the end of the
// supervisor, and so does a new program that works.
func (l *life) kill(others ...int) {
	_ = l.cmd.Process.Kill() // it fails only if the process has ended
	for _, pid := range others {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
	<-l.read
	_ = l.cmd.Wait()
}

// restart ends the device in order, and starts it with further arguments.
func (l *life) restart(args ...string) {
	l.Helper()
	l.stop()
	l.args = append(l.args, args...)
	l.start()
	l.await("is registered with")
}

// next returns an image of version 2.0.0.
func (l *life) next() []byte {
	l.Helper()
	program, err := os.ReadFile(build(l.T, "2.0.0"))
	must(l.T, err)
	return l.image(program, func(h *header) { h.version = "2.0.0" })
}

// image signs a program as version 1.5.0 for this platform, unless change says otherwise.
func (l *life) image(program []byte, change func(*header)) []byte {
	l.Helper()
	return signed(l.T, l.key, program, change)
}

// push pushes an image.
func (l *life) push(image []byte) {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, err := l.dev.PushFirmware(ctx, strings.NewReader(string(image)), int64(len(image)), nil)
	if err != nil || a.Code.IsError() {
		l.Fatalf("push: %v (%v)", a, err)
	}
}

// reports waits until the device prints a state and a result, and fails unless the server reads the
// same.
func (l *life) reports(state, result int64) {
	l.Helper()
	l.await(fmt.Sprintf("update state %d, result %d", state, result))
	l.reads("/5/0/3", fmt.Sprint(state))
	l.reads("/5/0/5", fmt.Sprint(result))
}

// reads fails unless the server reads a value.
func (l *life) reads(path, want string) {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a, err := l.dev.Read(ctx, path, content.Text); err != nil || a.Text() != want {
		l.Errorf("Read %s: %v (%v), want %s", path, a, err, want)
	}
}

// execute executes Update.
func (l *life) execute() {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a, err := l.dev.Execute(ctx, "/5/0/2", ""); err != nil || a.Code.IsError() {
		l.Fatalf("Execute Update: %v (%v)", a, err)
	}
}

// write writes Package URI; the empty string resets the update.
func (l *life) write(uri string) {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a, err := l.dev.Write(ctx, "/5/0/1", content.Text, []byte(uri)); err != nil || a.Code.IsError() {
		l.Fatalf("Write Package URI: %v (%v)", a, err)
	}
}

// runs fails unless the program is that of a version, and no candidate is left.
func (l *life) runs(version string) {
	l.Helper()
	l.reads("/3/0/3", version)
	want, err := os.ReadFile(build(l.T, version))
	must(l.T, err)
	got, err := os.ReadFile(l.path)
	must(l.T, err)
	if string(got) != string(want) {
		l.Errorf("the program is not that of version %s", version)
	}
	if _, err := os.Stat(l.path + ".new"); err == nil {
		l.Error("a candidate is left")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
