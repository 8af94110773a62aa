package session

import (
	"os"
	"strings"
	"testing"
)

// Every command is in the table of the page, with its arguments.
func TestCommandsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs() {
		for usage := range strings.SplitSeq(v.usage, " | ") {
			if !strings.Contains(string(page), "`"+usage+"`") {
				t.Errorf("docs/server.md does not list %q", usage)
			}
		}
		if v.help == "" || strings.HasSuffix(v.help, ".") {
			t.Errorf("the help of %s is %q", v.name, v.help)
		}
	}
}
