package dtls

import (
	"testing"
	"testing/synctest"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestSessionOfOldKey: a session made with an old PSK is not resumed with a new one, although
// identity and session store are the same.
func TestSessionOfOldKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		key := testKey
		startPion(t, w.packets, append(withStore(pskServer()), pion.WithPSK(func([]byte) ([]byte, error) {
			return key, nil
		}))...)
		sec := pskSecurity()
		sec.Sessions = &socket.MemorySessions{}
		connect := func(want socket.Resumption) {
			t.Helper()
			s := w.socket(t, sec)
			mustConnect(t, s, serverEnd)
			mustEcho(t, s, "hello")
			if got := s.Resumption(); got != want {
				t.Errorf("%v, want %v", got, want)
			}
			_ = s.Close()
		}
		connect(socket.NewSession)
		connect(socket.SessionResumed)
		key = []byte("fedcba9876543210")
		sec.Key = socket.NewSecret(key)
		connect(socket.NewSession)
		connect(socket.SessionResumed)
	})
}
