package factoryfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Inputs are what a YAML file refers to. The zero value means that there is nothing: a file that
// refers to something is refused.
type Inputs struct {
	// Vars are the values of variables such as ${endpoint}.
	Vars map[string]string
	// ReadFile reads a file that the YAML file names, relative to the folder of the YAML file.
	ReadFile func(name string) ([]byte, error)
	// Getenv returns an environment variable.
	Getenv func(name string) (string, bool)
	// Stdin returns the standard input.
	Stdin func() ([]byte, error)
}

// builder makes entries from one YAML file.
type builder struct {
	name    string
	in      Inputs
	book    *names.Book
	faults  []fault
	entries []dm.Entry
	lines   map[dm.Path]int // of entries and instances
}

// fault is a mistake in a line of the file.
type fault struct {
	line int
	text string
}

// Build returns the entries of a factory file that a YAML file describes, in the order of their
// paths. name is the name of the YAML file in errors, which name every mistake as
// "file:line: what is wrong, what to do" and show no secret.
func Build(name string, text []byte, book *names.Book, in Inputs) ([]dm.Entry, error) {
	b := &builder{name: name, in: in, book: book, lines: map[dm.Path]int{}}
	if root := b.parse(text); root != nil {
		b.document(root)
	}
	slices.SortStableFunc(b.entries, func(x, y dm.Entry) int { return x.Path.Compare(y.Path) })
	if len(b.faults) == 0 {
		for _, f := range Check(b.entries, book) {
			b.fault(b.lineOf(f.Path), "%s", f.Text)
		}
	}
	if len(b.faults) > 0 {
		return nil, b.err()
	}
	return b.entries, nil
}

func (b *builder) fault(line int, format string, args ...any) {
	b.faults = append(b.faults, fault{line, fmt.Sprintf(format, args...)})
}

// err returns the faults as one error, a line for each, in the order of the file.
func (b *builder) err() error {
	slices.SortStableFunc(b.faults, func(x, y fault) int { return cmp.Compare(x.line, y.line) })
	var errs []error
	for _, f := range slices.Compact(b.faults) {
		errs = append(errs, fmt.Errorf("%s:%d: %s", b.name, f.line, f.text))
	}
	return errors.Join(errs...)
}

// lineOf returns the line of a path, or of the nearest node above that has one.
func (b *builder) lineOf(p dm.Path) int {
	for l := p.Level(); l > dm.RootLevel; l-- {
		if line, ok := b.lines[p.Up(l)]; ok {
			return line
		}
	}
	return 1
}

// parse returns the one mapping that the file consists of, nil after a fault.
func (b *builder) parse(text []byte) *yaml.Node {
	loader, err := yaml.NewLoader(strings.NewReader(string(text)))
	var doc yaml.Node
	if err == nil {
		err = loader.Load(&doc)
	}
	switch {
	case errors.Is(err, io.EOF):
		b.fault(1, "the file is empty, write at least the key bootstrap or servers")
		return nil
	case err != nil:
		b.syntax(err)
		return nil
	}
	var more yaml.Node
	switch err := loader.Load(&more); {
	case err == nil:
		b.fault(max(more.Line, 1), "the file has a second document, write one document in each file")
		return nil
	case !errors.Is(err, io.EOF):
		b.syntax(err)
		return nil
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind != yaml.MappingNode {
		b.fault(max(root.Line, 1), "the file is not a mapping, write keys such as servers at the start of a line")
		return nil
	}
	return root
}

// syntax reports that the file is no YAML. The text of the library is left out where it could
// quote the file, which may hold a secret.
func (b *builder) syntax(err error) {
	line, text := 1, "it cannot be read"
	var e *yaml.LoadError
	if errors.As(err, &e) {
		line = max(e.Mark.Line, 1)
		if !strings.ContainsAny(e.Message, "'\"`") {
			text = e.Message
		}
	}
	b.fault(line, "this is no valid YAML: %s; check indentation, colons and quotes", text)
}

// pair is a key of a mapping with its value.
type pair struct {
	key   string
	line  int
	value *yaml.Node
}

// mapping returns the pairs of a mapping. It reports keys twice and, unless known is nil, keys that
// are not known.
func (b *builder) mapping(n *yaml.Node, what string, known ...string) []pair {
	if n.Kind != yaml.MappingNode {
		b.fault(n.Line, "%s must be a mapping: lines of the form key: value", what)
		return nil
	}
	var pairs []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge":
			b.fault(k.Line, "a key of %s must be a word or a number", what)
		case slices.ContainsFunc(pairs, func(p pair) bool { return p.key == k.Value }):
			b.fault(k.Line, "%s has the key %s twice, remove one", what, k.Value)
		case known != nil && !slices.Contains(known, k.Value):
			b.fault(k.Line, "%s has no key %q, write one of %s", what, printable(k.Value), strings.Join(known, ", "))
		default:
			pairs = append(pairs, pair{k.Value, k.Line, v})
		}
	}
	return pairs
}

// list returns the items of a list.
func (b *builder) list(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		b.fault(n.Line, "%s must be a list: lines that begin with a dash", what)
		return nil
	}
	return n.Content
}

// scalar returns a single value with its variables replaced.
func (b *builder) scalar(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		b.fault(n.Line, "%s is an alias, repeat the value instead", what)
		return "", false
	case n.Kind != yaml.ScalarNode:
		b.fault(n.Line, "%s must be a single value", what)
		return "", false
	case n.Tag == "!!null":
		b.fault(n.Line, "%s has no value, write one or remove the key", what)
		return "", false
	}
	return b.expand(n.Value, n.Line)
}

// find returns the value of a key, nil if the mapping has none.
func find(pairs []pair, key string) *yaml.Node {
	for _, p := range pairs {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// printable returns a key for an error, cut to a reasonable length.
func printable(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
