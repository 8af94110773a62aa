// Package jvm runs peers that are programs in Java.
package jvm

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/maven"
)

// patience is how long a program may take to end.
const patience = 20 * time.Second

// Process is a program that runs. Write sends it commands.
type Process struct {
	io.Writer
	in   io.Closer
	kill func() error
	end  func() // waits for the end
}

// Start starts the Java program in the working directory with the libraries of its pom.xml, under
// the name of the peer. options are those of the JVM. line is called with each line of the program,
// and once with nil when it has ended. If the test fails, it logs what the program has written to
// standard error.
func Start(t *testing.T, name string, line func([]byte), options []string, program ...string) *Process {
	t.Helper()
	lib := maven.Libraries(t, name)
	cmd := exec.Command("java", append(append(options, "-cp", filepath.Join(lib, "*")), program...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line(lines.Bytes())
		}
		line(nil)
	}()
	p := &Process{Writer: in, in: in, kill: cmd.Process.Kill, end: sync.OnceFunc(func() {
		<-read
		_ = cmd.Wait()
	})}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return p
}

// Kill ends the program without a word to its devices. It may be called again.
func (p *Process) Kill() {
	_ = p.kill() // fails if the program has ended
	p.end()
}

// Stop closes the standard input of the program, which ends it, and kills it if it does not end. It
// may be called again.
func (p *Process) Stop() {
	_ = p.in.Close()
	overdue := time.AfterFunc(patience, func() { _ = p.kill() })
	defer overdue.Stop()
	p.end()
}
