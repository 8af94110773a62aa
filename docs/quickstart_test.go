package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// instead maps commands of the quick start that need the network to commands that do the same
// offline. The module cache has every module that the toolkit's own tests need, at the versions of
// go.sum.
var instead = map[string]string{
	"go get github.com/lwm2mgen/toolkit@latest": `cp "$ROOT/go.sum" . && go mod edit -require github.com/lwm2mgen/toolkit@v0.0.0 -replace "github.com/lwm2mgen/toolkit=$ROOT"`,
	"go mod tidy": "go mod verify",
	"go run . -server coap://your.server:5683": "go build -o /dev/null .",
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
			_, text, _ := strings.Cut(part, "\n")
			all = append(all, step{file, text})
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
