package shipped_test

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inARow is the number of consecutive words that count as a copied sentence. A shorter run may be
// the name of a thing.
const inARow = 8

var (
	description = regexp.MustCompile(`(?s)<Description[12]?>(.*?)</Description`)
	word        = regexp.MustCompile(`[a-z]+`)
)

// TestOwnWords checks that the descriptions are in our own words: the registry's facts are free to
// use, its sentences are not.
func TestOwnWords(t *testing.T) {
	if testing.Short() {
		t.Skip("compares every phrase of the registry")
	}
	theirs := map[string]string{}
	phrases(t, "../../../shared/oma-registry/*.xml", func(file, phrase string) { theirs[phrase] = file })
	if len(theirs) == 0 {
		t.Skip("the public registry is not beside the module, at ../shared/oma-registry")
	}
	phrases(t, "../../objects-xml/*.xml", func(file, phrase string) {
		if from, taken := theirs[phrase]; taken {
			t.Errorf("%s: %q is also in %s, use other words", file, phrase, filepath.Base(from))
		}
	})
}

// phrases calls do with every run of inARow words in the descriptions of files.
func phrases(t *testing.T, pattern string, do func(file, phrase string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range description.FindAllStringSubmatch(string(data), -1) {
			words := word.FindAllString(strings.ToLower(html.UnescapeString(d[1])), -1)
			for ; len(words) >= inARow; words = words[1:] {
				do(file, strings.Join(words[:inARow], " "))
			}
		}
	}
}
