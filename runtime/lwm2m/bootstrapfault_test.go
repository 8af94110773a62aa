package lwm2m_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The answer to a Finish names an account that the client could not use, and why, without a secret.
func TestBootstrapFinishNamesUnusableAccount(t *testing.T) {
	for want, steps := range map[string][]lwm2mtest.BootstrapStep{
		"/0/0/0: server URI coap://server: a server URI has no more than scheme, host and port, remove the path \"/x\"": {
			lwm2mtest.BootstrapWrite("/0/0/0", content.Text, []byte("coap://server/x")),
		},
		"/0/0: Secret Key: ": {
			lwm2mtest.BootstrapWrite("/0/0/2", content.Text, []byte("2")),
			lwm2mtest.BootstrapWrite("/0/0/5", content.Opaque, []byte("hunter2")),
		},
		"/0/0: the device refuses the configuration": { // in the words of a dialer
			lwm2mtest.BootstrapWrite("/0/0/0", content.Text, []byte("mqtt://server")),
		},
	} {
		onBoot(t, func(b *bootBench) {
			b.boot.ScriptBootstrap("dev", script(script(accountSteps("coap://server"), steps...), lwm2mtest.BootstrapFinish())...)
			b.start()
			s, _ := b.boot.WaitBootstrap(0, "dev")
			_ = s.Wait(context.Background())
			results := s.Results()
			last := results[len(results)-1].Answer
			if last.Code != coap.NotAcceptable || !strings.HasPrefix(last.Text(), want) || strings.Contains(last.Text(), "hunter2") {
				t.Errorf("Finish is %v %q, want 4.06 %q", last.Code, last.Text(), want)
			}
		})
	}
}
