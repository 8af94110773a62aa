package factoryfile

import (
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Show prints entries with the names of objects and resources. Of a secret it prints the length,
// and of certificates their subject and how long they are valid. Values without a definition count
// as secret.
func Show(w io.Writer, entries []dm.Entry, book *names.Book) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	last := dm.Path{}
	for _, e := range entries {
		if e.Path.Level() < dm.ResourceLevel {
			continue
		}
		if i := e.Path.Up(dm.InstanceLevel); i != last {
			last = i
			fmt.Fprintf(tw, "%s\t%s\n", i, plain(book.Name(i)))
		}
		fmt.Fprintf(tw, "%s\t  %s\t%s\n", e.Path, plain(book.Name(e.Path)), show(e, book))
	}
	return tw.Flush()
}

// show returns the readable form of a value.
func show(e dm.Entry, book *names.Book) string {
	r := book.Resource(e.Path)
	if r != nil && !r.Secret && !e.Value.IsSecret() {
		if e.Path.Object() == accessObject && e.Path.Resource() == 2 {
			return letters(e.Value.Integer())
		}
		return plain(e.Value.String())
	}
	raw := e.Value.Opaque()
	switch {
	case e.Value.Type() == registry.Opaque && len(raw) == 0:
		return "(empty)"
	case e.Path.Object() == securityObject && (e.Path.Resource() == 3 || e.Path.Resource() == 4):
		if certs, err := x509.ParseCertificates(raw); err == nil && len(certs) > 0 {
			return fmt.Sprintf("certificate of %s, valid until %s", plain(certs[0].Subject.String()), certs[0].NotAfter.UTC().Format("2006-01-02"))
		}
	}
	if e.Value.Type() == registry.Opaque {
		return fmt.Sprintf("[redacted, %d bytes]", len(raw))
	}
	return "[redacted]"
}

// letters returns rights as letters.
func letters(bits int64) string {
	if bits == 0 {
		return "none"
	}
	var b strings.Builder
	for i, c := range rightLetters {
		if bits&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// plain returns a text in one line without control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
}
