package firmwareupdate_test

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// A program without a Downloader starts with the record of one that had it.
func TestDownloaderIsGone(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.records.Values["firmwareupdate"] = []byte(`{"phase":2,"uri":"coap://files/2.0","severity":1}`)
		r := boot(t, b, b.config())
		r.shows(0, 9)
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
	})
}

// A record that servers could not read is an error that names the record, before anything is
// changed.
func TestRecordsThatCannotBeUsed(t *testing.T) {
	for _, record := range []string{
		"", "{", "[]", `{"phase":7}`, `{"phase":-1}`, `{"result":14}`, `{"severity":3}`, `{"severity":-1}`, `{"maxDefer":-1}`,
		`{"uri":"` + strings.Repeat("x", 256) + `"}`, `{"name":"` + strings.Repeat("x", 256) + `"}`, `{"phase":5,"until":9223372036854775807}`,
	} {
		b := newBoard()
		b.records.Values["firmwareupdate"] = []byte(record)
		_, err := firmwareupdate.New(b.config())
		if err == nil || !strings.Contains(err.Error(), `record "firmwareupdate"`) {
			t.Errorf("the record %.40q: %v", record, err)
		}
		if b.Steps > 0 {
			t.Errorf("the record %.40q: %d operations", record, b.Steps)
		}
	}
}
