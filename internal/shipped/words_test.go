package shipped_test

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inARow is how many words in a row are somebody's wording and no longer the name of a thing.
const inARow = 8

var (
	description = regexp.MustCompile(`(?s)<Description[12]?>(.*?)</Description`)
	word        = regexp.MustCompile(`[a-z]+`)
)

// The registry's facts are everybody's, its sentences are not: descriptions are in words of our own.
func TestOwnWords(t *testing.T) {
	if testing.Short() {
		t.Skip("looks at every phrase of the registry")
	}
	theirs := map[string]string{}
	phrases(t, "../../../shared/oma-registry/*.xml", func(file, phrase string) { theirs[phrase] = file })
	if len(theirs) == 0 {
		t.Skip("the public registry is not beside the module, at ../shared/oma-registry")
	}
	phrases(t, "../../objects-xml/*.xml", func(file, phrase string) {
		if from, taken := theirs[phrase]; taken {
			t.Errorf("%s: %q is in %s as well, say it in other words", file, phrase, filepath.Base(from))
		}
	})
}

// phrases calls do with everything that stands in a row in the descriptions of files.
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
