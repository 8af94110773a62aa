package gen_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/lwm2mgen/toolkit/gen"
)

// TestWholeText checks that the comments of a package hold the whole text of a definition: all of
// its descriptions, word by word.
func TestWholeText(t *testing.T) {
	for _, dir := range []string{"../objects-xml", registryDir} {
		defs, _ := load(t, dir)
		full, short, words := 0, 0, 0
		for _, d := range defs {
			files, _ := gen.Generate([]gen.Definition{d}, gen.Options{})
			if len(files) != 1 {
				t.Fatalf("%s: %d files", d.File, len(files))
			}
			comments := letters(commentsOf(files[0].Content))
			texts := []string{d.Object.Description}
			for i := range d.Object.Resources {
				texts = append(texts, d.Object.Resources[i].Description)
				for _, v := range d.Object.Resources[i].Enum {
					texts = append(texts, v.Doc)
				}
			}
			for _, text := range texts {
				words += len(strings.Fields(text))
				if !strings.Contains(comments, letters(text)) {
					t.Errorf("%s: the comments do not hold %q", d.File, text)
				}
			}
			full += len(files[0].Content)
			files, _ = gen.Generate([]gen.Definition{d}, gen.Options{Docs: gen.DocsShort})
			short += len(files[0].Content)
		}
		t.Logf("%s: %d objects, descriptions of %d words, %d kB of code, %d kB with short comments",
			dir, len(defs), words, full>>10, short>>10)
	}
}

// commentsOf returns the comments of a file without their marks.
func commentsOf(source []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(source)) {
		if _, text, ok := strings.Cut(line, "// "); ok {
			b.WriteString(text)
		}
	}
	return b.String()
}

// letters returns the letters and digits of a text in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
