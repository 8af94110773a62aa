package lwm2m_test

import (
	"context"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// FuzzRestart starts a client over a store with any registrations and any instance of the Server
// object. It may refuse the store, and must neither panic nor wait for ever.
func FuzzRestart(f *testing.F) {
	f.Add([]byte(`{"version":1,"boot":"b","endpoint":"dev","at":0,"servers":[{"server":1,"security":0,"uri":"coap://s","location":["rd","1"],`+
		`"lwm2m":"1.2","lifetime":86400,"expires":99999999999999999,"link":{"conn":"wQ==","local":"198.18.0.1:5683"},`+
		`"peer":{"attributes":[{"path":"/3/0/9","set":{"pmin":10}}],"observations":[{"relation":"wg==","nodes":[{"path":"/3/0"}],"format":112,`+
		`"values":1,"stored":[{"at":1,"body":"gaIhYi8w"}],"newest":true}]}}]}`), []byte{})
	f.Add([]byte("{"), []byte("\x01\x00\x81\xa2\x00\x62/0\x02\x01"))
	f.Fuzz(func(t *testing.T, registrations, instance []byte) {
		stuck := time.AfterFunc(10*time.Second, func() { panic("the client does not end") })
		defer stuck.Stop()
		s := &memStore{records: map[string][]byte{"registrations": registrations}}
		if len(instance) > 0 {
			s.records["dm/1"], s.records["dm/1/0"] = nil, instance
		}
		c, err := lwm2m.New(lwm2m.Config{
			Endpoint: "dev", BootID: "b", Objects: []dm.Object{newDevice(t)}, Logger: quiet(), Store: s,
			Servers: []lwm2m.Server{{URI: "coap://s"}}, ShutdownTimeout: time.Millisecond,
			Dialers: []socket.Dialer{simnet.New(1).NewHost("device").Dialer()},
		})
		if err != nil {
			return
		}
		for range 3 {
			if err := c.ServeAny(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
		}
		c.Detach()
		for {
			select {
			case <-c.Done():
				return
			default:
				_ = c.ServeAny(context.Background(), time.Second)
			}
		}
	})
}
