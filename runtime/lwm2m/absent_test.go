package lwm2m_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// New warns in one line of what a configuration asks for and the client does not do yet.
func TestNewWarnsOfWhatIsAbsent(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*lwm2m.Config)
	}{
		{"nothing", "", func(*lwm2m.Config) {}},
		{"queue mode", "the client itself does not sleep yet", func(cfg *lwm2m.Config) { cfg.QueueMode = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			inWorld(t, 1, func(w *world) {
				cfg := w.config()
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				c.change(&cfg)
				if _, err := lwm2m.New(cfg); err != nil {
					t.Fatal(err)
				}
			})
			if n := strings.Count(log.String(), " yet"); c.want == "" && n != 0 || c.want != "" && n != 1 {
				t.Errorf("%d warnings: %s", n, log.String())
			}
			if !strings.Contains(log.String(), c.want) {
				t.Errorf("the log has no %q: %s", c.want, log.String())
			}
		})
	}
}
