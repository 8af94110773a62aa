package gen

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// Docs says how much of the descriptions generated comments hold.
type Docs uint8

const (
	// DocsFull keeps the whole text of descriptions.
	DocsFull Docs = iota
	// DocsShort keeps the first sentence of a description, cut after 220 characters.
	DocsShort
)

const maxRange = 60 // runes of a range that is not understood, between the facts of a resource

// doc returns the documentation of a resource's field: its name, its facts and its description,
// such as "BatteryLevel (9, R, optional, /100, range 0..100): the current battery level as a
// percentage."
func (r *resource) doc(d Docs) string {
	facts := []string{fmt.Sprint(r.ID), operations(r.Ops)}
	if r.Mandatory {
		facts = append(facts, "mandatory")
	} else {
		facts = append(facts, "optional")
	}
	if r.Multiple {
		facts = append(facts, "multiple")
	}
	if u := oneLine(r.Units); u != "" {
		facts = append(facts, u)
	}
	if s := r.span(); s != "" {
		facts = append(facts, s)
	}
	text := fmt.Sprintf("%s (%s)%s", r.name, strings.Join(facts, ", "), orFullStop(": ", d.describe(r.Description)))
	if rest := r.longRange(); rest != "" && d == DocsFull {
		text += "\n\nThe range as registered: " + rest
	}
	return text
}

func operations(o registry.Operations) string {
	if o.BootstrapOnly() {
		return "bootstrap only"
	}
	return o.String()
}

// span returns the range of a resource in words. A registered range that is not understood is
// quoted.
func (r *resource) span() string {
	switch {
	case r.Range != nil && r.Type.Measured():
		return "length " + r.Range.String()
	case r.Range != nil:
		return "range " + r.Range.String()
	case r.Strings != nil:
		return "one of " + cut(oneLine(r.Strings.String()), maxRange)
	}
	if text := oneLine(r.RangeText); text != "" {
		return fmt.Sprintf("range as registered: %q", cut(text, maxRange))
	}
	return ""
}

// longRange returns a registered range that is not understood and that span cuts, as a sentence.
func (r *resource) longRange() string {
	if text := oneLine(r.RangeText); r.Range == nil && r.Strings == nil && utf8.RuneCountInString(text) > maxRange {
		return text + missingStop(text)
	}
	return ""
}

// orFullStop returns sep and text, or a full stop if text is empty.
func orFullStop(sep, text string) string {
	if text == "" {
		return "."
	}
	return sep + text
}
