//go:build unix

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTryOut does what the comment of the package says: it makes keys and an image, starts the
// server, and runs the device, which goes on as the new version.
func TestTryOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds and runs programs")
	}
	dir := t.TempDir()
	run := func(program string, args ...string) (*exec.Cmd, io.Reader) {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		out, err := cmd.StdoutPipe()
		must(t, err)
		cmd.Stderr = cmd.Stdout
		must(t, cmd.Start())
		return cmd, out
	}
	for name, version := range map[string]string{"probe": "1.0.0", "probe-1.1.0": "2.0.0"} {
		program, err := os.ReadFile(build(t, version))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), program, 0o755))
	}
	for _, args := range []string{"keygen probe", "sign -key probe.key -version 1.1.0 probe-1.1.0"} {
		cmd, out := run("./probe", strings.Fields(args)...)
		text, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, text)
		}
	}
	pushserver := filepath.Join(dir, "pushserver")
	if out, err := exec.Command("go", "build", "-o", pushserver, "./pushserver").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	server, out := run(pushserver, "-listen", "127.0.0.1:0", "probe-1.1.0.image")
	stuck := time.AfterFunc(patience, func() { _ = server.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewScanner(out)
	lines.Scan()
	_, uri, _ := strings.Cut(lines.Text(), "at ")
	device, printed := run("./probe", "run", "-server", uri, "-dir", "state", "-public-key", "probe.pub")
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(printed)
		read <- string(text)
	}()
	var got []string
	for lines.Scan() {
		got = append(got, lines.Text())
	}
	err := server.Wait()
	_ = device.Process.Signal(os.Interrupt)
	text := <-read
	if err := device.Wait(); err != nil {
		t.Errorf("the device ends with %v", err)
	}
	if last := "Update Result is 1, and version 2.0.0 runs"; err != nil || len(got) == 0 || got[len(got)-1] != last {
		t.Errorf("the server (%v) printed\n%s\nand the device\n%s", err, strings.Join(got, "\n"), text)
	}
	if _, err := os.Stat(filepath.Join(dir, "probe.old")); err != nil {
		t.Error(err)
	}
}
