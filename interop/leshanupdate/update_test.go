package leshanupdate_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// endpoint is the name of the device, and the identity of its key.
const endpoint = "probe-1"

// probe is a device whose program Leshan updates.
type probe struct {
	dir string // with the program "probe", its keys and its state
	log strings.Builder
}

// file returns the path of a file of the device.
func (p *probe) file(name string) string { return filepath.Join(p.dir, name) }

// run runs a command to its end.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// build builds a version of the program.
func (p *probe) build(t *testing.T, version, name string) {
	t.Helper()
	run(t, "go", "build", "-C", "../..", "-ldflags", "-s -w -X main.version="+version, "-o", p.file(name), "./examples/selfupdate")
}

// image returns the path of the image of a program, which is signed.
func (p *probe) image(t *testing.T, version, program string) string {
	t.Helper()
	run(t, p.file("probe"), "sign", "-key", p.file("keys.key"), "-version", version, "-os", runtime.GOOS, "-arch", runtime.GOARCH,
		p.file(program))
	return p.file(program + ".image")
}

// write writes a file of the device.
func (p *probe) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(p.file(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs version 1.0.0 until the end of the test.
func start(t *testing.T, port uint16) *probe {
	t.Helper()
	p := &probe{dir: t.TempDir()}
	p.build(t, "1.0.0", "probe")
	run(t, p.file("probe"), "keygen", p.file("keys"))
	p.write(t, "psk", hex.EncodeToString(key))
	cmd := exec.Command(p.file("probe"), "run", "-server", fmt.Sprintf("coaps://127.0.0.1:%d", port), "-endpoint", endpoint,
		"-psk-identity", endpoint, "-psk-file", p.file("psk"), "-dir", p.file("state"), "-public-key", p.file("keys.pub"))
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer stuck.Stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the device:\n%s", p.log.String())
		}
	})
	return p
}

// TestLeshanUpdatesProgram: Leshan pushes and names images to a device that replaces its own
// program. A damaged image is refused, a program that does not come up is rolled back, and a good
// one runs. Leshan is notified of each outcome by the observations that it made at the beginning.
func TestLeshanUpdatesProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a supervisor cannot replace itself there")
	}
	server := startPeer(t)
	server.do(t, "key", "", "")
	p := start(t, server.port)
	server.event(t, endpoint, "registered")
	server.expect(t, "observe", "/5/0/3", "", 205, "0")
	server.expect(t, "observe", "/5/0/5", "", 205, "0")

	p.write(t, "broken", "#!/bin/sh\nexit 2\n")
	broken := p.image(t, "1.5.0", "broken")
	image, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}

	p.write(t, "damaged.image", string(bytes.Replace(image, []byte("exit 2"), []byte("exit 0"), 1)))
	server.expect(t, "package", "", p.file("damaged.image"), 204, "")
	server.notified(t, "/5/0/5", "5")

	files := httptest.NewServer(http.FileServer(http.Dir(p.dir)))
	defer files.Close()
	server.expect(t, "uri", "", files.URL+"/broken.image", 204, "")
	server.notified(t, "/5/0/3", "2")
	server.expect(t, "execute", "/5/0/2", "", 204, "")
	server.notified(t, "/5/0/3", "3")
	server.notified(t, "/5/0/5", "8")
	server.expect(t, "read", "/5/0/3", "", 205, "2")
	server.expect(t, "read", "/3/0/3", "", 205, "1.0.0")
	server.expect(t, "uri", "", "", 204, "") // resets the update
	server.notified(t, "/5/0/3", "0")

	p.build(t, "2.0.0", "next")
	begin := time.Now()
	server.expect(t, "package", "", p.image(t, "2.0.0", "next"), 204, "")
	t.Logf("Leshan has pushed the image in %v", time.Since(begin).Round(time.Millisecond))
	server.notified(t, "/5/0/3", "2")
	server.expect(t, "execute", "/5/0/2", "", 204, "")
	server.notified(t, "/5/0/3", "3")
	server.notified(t, "/5/0/3", "0")
	server.notified(t, "/5/0/5", "1")
	server.expect(t, "read", "/3/0/3", "", 205, "2.0.0")
}
