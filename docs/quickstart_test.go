package docs_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instead maps commands of the quick start that need the network to commands that do the same
// offline. The module cache has every module that the toolkit's own tests need, at the versions of
// go.sum.
var instead = map[string]string{
	"go mod edit -require github.com/lwm2mgen/toolkit@v0.0.0 -replace github.com/lwm2mgen/toolkit=../toolkit": `cp "$ROOT/go.sum" . && go mod edit -require github.com/lwm2mgen/toolkit@v0.0.0 -replace "github.com/lwm2mgen/toolkit=$ROOT"`,
	"go tool lwm2mserver -objects heater.xml": "go build -o lwm2mserver github.com/lwm2mgen/toolkit/cmd/lwm2mserver",
	"go run .":     "go build -o heater .",
	"go mod tidy":  "go mod verify",
	"go test -v .": "go test -v -count 1 .",
}

// says holds texts that a command prints, as the page shows them.
var says = map[string][]string{
	"go tool lwm2mgen show heater.xml": {"Set Point", "5..90"},
	"go test -v .":                     {"write 60: 2.04", "write 200: 4.00 /42769/0/1"},
}

// TestQuickStart follows the page: it writes the files and runs the commands in order.
func TestQuickStart(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the page's commands need a POSIX shell")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	shell := &shell{t: t, dir: t.TempDir(), env: append(os.Environ(),
		"ROOT="+root, "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "GOWORK=off")}
	files, commands := 0, 0
	for _, s := range steps(read(t, "quickstart.md")) {
		if s.file == sessionFile {
			shell.playSession(s.text)
			continue
		}
		if s.file != "" {
			files++
			if err := os.WriteFile(filepath.Join(shell.dir, s.file), []byte(s.text), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		commands++
		shell.run(s.text)
	}
	if files != 3 || commands < 9 {
		t.Errorf("the page has %d files and %d commands", files, commands)
	}
	shell.testWithoutSetPoint()
}

// testWithoutSetPoint makes the mistake that the page proposes: the test names it within a second.
func (s *shell) testWithoutSetPoint() {
	s.t.Helper()
	file := filepath.Join(s.dir, "main.go")
	source := regexp.MustCompile(`(?m)^\s*SetPoint:.*\n`).ReplaceAllString(read(s.t, file), "")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), "go", "test", "-v", "-count", "1", ".")
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	missing := regexp.MustCompile(`missing: Set Point \(1\)|Set ?Point \(1\) is missing`)
	took := regexp.MustCompile(`--- FAIL: TestSetPoint \(0\.\d\ds\)`)
	if err == nil || !missing.Match(out) || !took.Match(out) {
		s.t.Errorf("without SetPoint the test prints, %v:\n%s", err, out)
	}
}

// sessionFile stands for the session of the page with lwm2mserver.
const sessionFile = "session"

// playSession runs a session in the form of the page, with the device that was built, at a free
// port.
func (s *shell) playSession(session string) {
	s.t.Helper()
	var commands, want []string
	timed := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} `)
	for line := range strings.Lines(session) {
		line = strings.TrimSuffix(line, "\n")
		if command, ok := strings.CutPrefix(line, "> "); ok {
			commands = append(commands, command)
			continue
		}
		if timed.MatchString(line) { // a notification
			commands = append(commands, "next")
			line = timed.ReplaceAllString(line, "")
		}
		want = append(want, line)
	}
	port, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	uri := "coap://" + port.LocalAddr().String()
	_ = port.Close()
	device := exec.CommandContext(s.t.Context(), "./heater", "-server", uri)
	device.Dir = s.dir
	if err := device.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = device.Process.Kill(); _ = device.Wait() }()
	server := exec.CommandContext(s.t.Context(), "./lwm2mserver", "-objects", "heater.xml", "-listen", uri, "-c",
		"wait heater-1; "+strings.Join(commands, "; "))
	server.Dir = s.dir
	out, _ := server.CombinedOutput() // the last command is refused
	var got []string
	for line := range strings.Lines(string(out)) {
		got = append(got, timed.ReplaceAllString(strings.TrimSuffix(line, "\n"), ""))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("the session prints\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// step is a file to write, or a command if file is empty.
type step struct{ file, text string }

var inQuotes = regexp.MustCompile("`([a-z_]+\\.(?:go|xml))`")

// steps returns the commands of a page, which are indented by four spaces, and its files, which are
// fenced. The name of a file is the last one that the page mentions before it.
func steps(page string) []step {
	var all []step
	file := ""
	for i, part := range strings.Split(page, "```") {
		if i%2 == 1 {
			language, text, _ := strings.Cut(part, "\n")
			if language == "text" {
				all = append(all, step{sessionFile, text})
			} else {
				all = append(all, step{file, text})
			}
			continue
		}
		for line := range strings.Lines(part) {
			if m := inQuotes.FindAllStringSubmatch(line, -1); m != nil {
				file = m[len(m)-1][1]
			}
			if command, ok := strings.CutPrefix(line, "    "); ok {
				all = append(all, step{text: strings.TrimSpace(command)})
			}
		}
	}
	return all
}

// shell runs commands in a folder. A cd lasts for the commands after it.
type shell struct {
	t   *testing.T
	dir string
	env []string
}

func (s *shell) run(command string) {
	s.t.Helper()
	line, ok := instead[command]
	if !ok {
		line = command
	}
	pwd := filepath.Join(s.t.TempDir(), "pwd")
	cmd := exec.CommandContext(s.t.Context(), "sh", "-ec", line+"\npwd > '"+pwd+"'")
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	for _, want := range says[command] {
		if !strings.Contains(string(out), want) {
			s.t.Errorf("%s does not print %q:\n%s", command, want, out)
		}
	}
	s.dir = strings.TrimSpace(read(s.t, pwd))
}
