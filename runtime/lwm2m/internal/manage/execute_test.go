package manage

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

func TestExecute(t *testing.T) {
	runRows(t, device12, []row{
		{"without arguments", to("POST /3/0/4"), coap.Changed, "", 0},
		{"with arguments", to("POST /3/0/4").as(content.Text, "0='a',1"), coap.Changed, "", 0},
		{"bad arguments", to("POST /3/0/4").as(content.Text, "hunter2"), coap.BadRequest, "", 0},
		{"a space in an argument", to("POST /3/0/4").as(content.Text, "0='a b'"), coap.BadRequest, "", 0},
		{"a double quote in an argument", to("POST /3/0/4").as(content.Text, "0='\"'"), coap.BadRequest, "", 0},
		{"a backslash in an argument", to("POST /3/0/4").as(content.Text, "0='\\'"), coap.BadRequest, "", 0},
		{"bad arguments for nothing", to("POST /3/0/99").as(content.Text, "hunter2"), coap.NotFound, "", 0},
		{"bad arguments for what is no executable", to("POST /3/0/0").as(content.Text, "hunter2"),
			coap.MethodNotAllowed, "", 0},
		{"function fails", to("POST /3/0/4").as(content.Text, "9='fail'"), coap.InternalServerError, "", 0},
		{"arguments in several blocks", to("POST /3/0/4").as(content.Text, "1='"+strings.Repeat("x", 3000)+"'"),
			coap.Changed, "", 0},
		{"unsupported", to("POST /3/0/5"), coap.NotFound, "", 0},
		{"bad arguments for what is unsupported", to("POST /3/0/5").as(content.Text, "hunter2"), coap.NotFound, "", 0},
		{"no executable", to("POST /3/0/0"), coap.MethodNotAllowed, "", 0},
		{"slow", to("POST /3303/0/5605"), coap.Changed, "", 0},
		{"wrong format", to("POST /3/0/4").as(content.Link, "x"), coap.UnsupportedContentFormat, "", 0},
		{"Security", to("POST /0/0/4"), coap.Unauthorized, "", 0},
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.peers[0].do(to("POST /3/0/4").as(content.None, "0='a',3"))
		r.pass(time.Second)
		if len(r.dev.executed) != 1 || r.dev.executed[0] != "server 1:0='a',3" {
			t.Errorf("executed are %q", r.dev.executed)
		}
		got := r.peers[0].do(to("POST /3/0/4").as(content.None, "9='fail'"))
		if got.code != coap.InternalServerError || got.body != "" {
			t.Errorf("a failing function shows %v %q", got.code, got.body)
		}
	})
}
