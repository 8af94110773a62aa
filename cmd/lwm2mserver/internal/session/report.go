package session

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/progress"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// A Report is something that happened: the result of a command, a notification, or a device that
// came or went. As JSON it is one line of -json.
type Report struct {
	Time time.Time `json:"time"`
	// Kind is answer, notification, sent, event, bootstrap, update, progress, device, text or
	// error.
	Kind string `json:"kind"`
	// Device is the endpoint name, and Event what happened to its registration.
	Device string `json:"device,omitempty"`
	Event  string `json:"event,omitempty"`
	// Step is a step of a bootstrap or of an update, such as "PUT /1/0".
	Step string `json:"step,omitempty"`
	// Command is the name of the command that the report answers.
	Command string `json:"command,omitempty"`
	// Late says that the shell went on before the answer, because the device slept.
	Late bool `json:"late,omitempty"`
	// Observation is the number of the observation.
	Observation int `json:"observation,omitempty"`
	// Code is the response code, such as "2.05". Location is the path of a created instance.
	Code     string `json:"code,omitempty"`
	Location string `json:"location,omitempty"`
	// Values are the values of the payload, and Links those of a Discover.
	Values []Value `json:"values,omitempty"`
	Links  []Link  `json:"links,omitempty"`
	// State and Result are the state of an update and its Update Result.
	State  *int64 `json:"state,omitempty"`
	Result *int64 `json:"result,omitempty"`
	// Progress is how far a transfer is. It is for people alone.
	Progress *Progress `json:"-"`
	// Text is anything else: a payload without values, a line of help.
	Text string `json:"text,omitempty"`
	// Error says why a command failed.
	Error string `json:"error,omitempty"`
}

// Progress is how far a transfer is.
type Progress struct {
	progress.Progress
	// Step says that another tenth has arrived, and Ended that no further report of the transfer
	// follows.
	Step, Ended bool
}

// A Value is one value of a payload.
type Value struct {
	Path  string `json:"path"`
	Name  string `json:"name,omitempty"`
	Value any    `json:"value"`
	Units string `json:"units,omitempty"`
	text  string
}

// String returns the value with its units.
func (v Value) String() string { return strings.TrimSpace(escape(v.text) + " " + v.Units) }

// A Link is one link of the response to a Discover.
type Link struct {
	Path       string            `json:"path"`
	Name       string            `json:"name,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	text       string
}

// WriteJSON writes a report as one line of JSON. It leaves out how far a transfer is.
func WriteJSON(w io.Writer, r Report) error {
	if r.Progress != nil {
		return nil
	}
	return json.NewEncoder(w).Encode(r)
}

// codeNames are the names of the codes that devices send (RFC 7252 §12.1.2).
var codeNames = map[string]string{
	"2.01": "Created", "2.02": "Deleted", "2.04": "Changed", "2.05": "Content", "4.00": "Bad Request",
	"4.01": "Unauthorized", "4.02": "Bad Option", "4.03": "Forbidden", "4.04": "Not Found",
	"4.05": "Method Not Allowed", "4.06": "Not Acceptable", "4.08": "Request Entity Incomplete", "4.09": "Conflict",
	"4.12": "Precondition Failed", "4.13": "Request Entity Too Large", "4.15": "Unsupported Content-Format",
	"4.22": "Unprocessable Entity", "4.29": "Too Many Requests", "5.00": "Internal Server Error",
	"5.01": "Not Implemented", "5.03": "Service Unavailable",
}

// WriteText writes a report for people. Control characters that a device sends are escaped.
func WriteText(w io.Writer, r Report) error {
	var b strings.Builder
	device := escape(r.Device)
	at := r.Time.Format("15:04:05.000 ")
	switch r.Kind {
	case "answer":
		if r.Late {
			fmt.Fprintf(&b, "%s%s %s: ", at, device, r.Command)
		}
		if r.Step != "" {
			fmt.Fprintf(&b, "%s: ", r.Step)
		}
		fmt.Fprint(&b, strings.TrimSpace(r.Code+" "+codeNames[r.Code]))
		if r.Location != "" {
			fmt.Fprintf(&b, " %s", escape(r.Location))
		}
		if r.Observation > 0 {
			fmt.Fprintf(&b, ", observation %d", r.Observation)
		}
	case "notification":
		fmt.Fprintf(&b, "%s%s, observation %d", at, device, r.Observation)
		if r.Code != "" && r.Code != "2.05" {
			fmt.Fprintf(&b, ": %s %s", r.Code, codeNames[r.Code])
		}
	case "sent":
		fmt.Fprintf(&b, "%s%s sent", at, device)
	case "event":
		fmt.Fprintf(&b, "%s%s %s", at, device, r.Event)
	case "bootstrap":
		fmt.Fprintf(&b, "%s%s %s", at, device, cmp.Or(r.Event, "bootstrap: "+escape(r.Step)))
		if r.Code != "" {
			fmt.Fprintf(&b, ": %s %s", r.Code, codeNames[r.Code])
		}
		if r.Error != "" {
			fmt.Fprintf(&b, ": %s", escape(r.Error))
		}
	case "update", "progress":
		if r.Late {
			fmt.Fprintf(&b, "%s%s %s", at, device, r.Command)
		}
	case "device":
		b.WriteString(device)
	case "error":
		if r.Late {
			fmt.Fprintf(&b, "%s%s %s: ", at, device, r.Command)
		}
		b.WriteString(escape(r.Error))
	}
	if r.Progress != nil {
		r.Text = r.Progress.String()
	}
	if r.Text != "" {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		for i, line := range strings.Split(r.Text, "\n") {
			b.WriteString(strings.Repeat("\n", min(i, 1)) + escape(line))
		}
	}
	if len(r.Values) == 1 && r.Kind == "notification" {
		v := r.Values[0]
		fmt.Fprintf(&b, ": %s %s %s", v.Path, strings.TrimSpace(v.Name+" ="), v.String())
	} else if len(r.Values)+len(r.Links) > 0 {
		b.WriteByte('\n')
		table(&b, r)
	}
	_, err := fmt.Fprintln(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}

// table writes the values and links of a report, a line for each.
func table(w io.Writer, r Report) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, v := range r.Values {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", v.Path, v.Name, v)
	}
	for _, l := range r.Links {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", escape(l.Path), l.Name, escape(l.text))
	}
	_ = t.Flush() // a strings.Builder does not fail
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// escape replaces control characters in what a device sends: they could change the terminal or
// forge lines.
func escape(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// answer returns the report of the answer of a device with an alternate path.
func (s *Session) answer(a lwm2mserver.Answer, root string) Report {
	r := Report{Kind: "answer", Code: a.Code.String(), Location: a.Location}
	switch {
	case len(a.Payload) == 0:
	case a.Code.IsError() && (a.Format == content.None || a.Format == content.Text):
		r.Text = a.Text()
	case a.Format == content.Link:
		r.Links, r.Text = s.links(a, root)
	default:
		entries, err := a.Entries()
		if err != nil {
			r.Text = fmt.Sprintf("the payload cannot be decoded: %v: %v", err, a)
		}
		r.Values = s.values(entries)
	}
	return r
}

func (s *Session) values(entries []dm.Entry) []Value {
	var all []Value
	for _, e := range entries {
		v := Value{Path: e.Path.String(), Name: s.cfg.Book.Name(e.Path), Value: jsonValue(e.Value), text: e.Value.String()}
		if def := s.cfg.Book.Resource(e.Path); def != nil {
			v.Units = def.Units
		}
		all = append(all, v)
	}
	return all
}

// jsonValue returns a value as JSON shows it best.
func jsonValue(v dm.Value) any {
	switch {
	case v.IsSecret():
	case v.Type() == registry.Integer:
		return v.Integer()
	case v.Type() == registry.UnsignedInteger:
		return v.Unsigned()
	case v.Type() == registry.Float && !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0):
		return v.Float()
	case v.Type() == registry.Boolean:
		return v.Boolean()
	}
	return v.String()
}

// links returns the links of a Discover, or the payload as text if it cannot be parsed.
func (s *Session) links(a lwm2mserver.Answer, root string) ([]Link, string) {
	var all []Link
	err := corelink.Parse(a.Payload, func(l corelink.Link) error {
		link := Link{Path: l.Target}
		if p, ok := l.Path(root); ok {
			link.Path, link.Name = p.String(), s.cfg.Book.Name(p)
		}
		var texts []string
		for name, value := range l.Attrs() {
			if link.Attributes == nil {
				link.Attributes = map[string]string{}
			}
			link.Attributes[name] = value
			texts = append(texts, strings.TrimSuffix(name+"="+value, "="))
		}
		link.text = strings.Join(texts, " ")
		all = append(all, link)
		return nil
	})
	if err != nil {
		return nil, fmt.Sprintf("the list cannot be parsed: %v: %s", err, a.Text())
	}
	return all, ""
}

// report prints an answer and returns ErrRefused if the device refused.
func (c *command) report(a lwm2mserver.Answer, err error) error {
	if err != nil {
		return err
	}
	r := c.answer(a, c.device.Registration().Objects.Root)
	r.Device, r.Command, r.Late = c.endpoint, c.verb.name, c.late.Load()
	c.print(r)
	return refused(a.Code)
}

func refused(code coap.Code) error {
	if code.IsError() {
		return ErrRefused
	}
	return nil
}
