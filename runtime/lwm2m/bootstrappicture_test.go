package lwm2m_test

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// message is one arrow of a sequence picture, from the line of one host to that of another.
type message struct {
	from, to int
	text     string
	response bool
}

// The lines of the picture, from left to right.
const (
	bootLine = iota
	deviceLine
	serverLine
)

// TestBootstrapPicture compares the picture in docs/bootstrap with what happens in a run.
func TestBootstrapPicture(t *testing.T) {
	var messages []message
	onBoot(t, func(b *bootBench) {
		b.boot.ScriptBootstrap("dev",
			lwm2mtest.BootstrapDiscover("/"),
			lwm2mtest.BootstrapDelete("/1"),
			write("/0/0", "/0/0", `{"n":"0","vs":"coap://server"},{"n":"1","vb":false},{"n":"2","v":3},{"n":"10","v":1}`),
			write("/1/0", "/1/0", serverOf(1, 86400)),
			lwm2mtest.BootstrapRead("/1", content.SenMLJSON),
			lwm2mtest.BootstrapFinish())
		b.start()
		s := b.boot.RequireBootstrapped("dev")
		dev := b.server.WaitRegistered("dev")
		synctest.Wait()
		messages = append(messages, message{deviceLine, bootLine, s.Request().String(), false}, message{bootLine, deviceLine, "2.04", true})
		for _, r := range s.Results() {
			messages = append(messages, message{bootLine, deviceLine, r.Step.String(), false},
				message{deviceLine, bootLine, fmt.Sprint(r.Answer.Code), true})
		}
		messages = append(messages, message{deviceLine, serverLine, b.server.Requests()[0].String(), false},
			message{serverLine, deviceLine, "2.01 " + dev.Registration().Location, true})
	})
	file := filepath.Join("..", "..", "docs", "bootstrap", "sequence.svg")
	picture := drawSequence("A bootstrap that the device begins", []string{"bootstrap server", "device", "server"}, messages)
	if *updatePictures {
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, picture, 0o644))
	}
	if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, picture) {
		t.Errorf("%s is not what happens (%v): run go test ./runtime/lwm2m -run TestBootstrapPicture -update", file, err)
	}
}

// drawSequence returns the picture of messages between hosts.
func drawSequence(title string, hosts []string, messages []message) []byte {
	const width, left, apart, top, step = 760, 130, 250, 76, 26
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	height := top + step*len(messages) + 24
	line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`,
		width, height, width, height)
	line(`<!-- Drawn by TestBootstrapPicture of runtime/lwm2m from a simulated run. -->`)
	line(`<title>%s</title>`, title)
	line(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	line(`<text x="20" y="24" font-size="14" font-weight="bold" fill="#222222">%s</text>`, title)
	for i, host := range hosts {
		x := left + apart*i
		line(`<text x="%d" y="50" text-anchor="middle" font-weight="bold" fill="#222222">%s</text>`, x, host)
		line(`<line x1="%d" y1="58" x2="%d" y2="%d" stroke="#bbbbbb"/>`, x, x, height-10)
	}
	for i, m := range messages {
		y, from, to := top+step*i+12, left+apart*m.from, left+apart*m.to
		colour, dashes := "#268bd2", ""
		if m.response {
			colour, dashes = "#859900", ` stroke-dasharray="5 3"`
		}
		tip := 6
		if to > from {
			tip = -6
		}
		line(`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"%s/>`, from, y, to, y, colour, dashes)
		line(`<polygon points="%d,%d %d,%d %d,%d" fill="%s"/>`, to, y, to+tip, y-4, to+tip, y+4, colour)
		line(`<text x="%d" y="%d" text-anchor="middle" fill="#222222">%s</text>`, (from+to)/2, y-4, html.EscapeString(m.text))
	}
	line(`</svg>`)
	return b.Bytes()
}
