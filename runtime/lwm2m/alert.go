package lwm2m

import (
	"errors"

	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// noteAlert stores the TLS alert that a server has sent in /1/x/11, if the account has that
// resource.
func (s *server) noteAlert(err error) {
	var alert *socket.AlertError
	if !errors.As(err, &alert) || !alert.Received {
		return
	}
	p := dm.ResourcePath(serverID, s.settings.instance, genserver.TLSAlertCodeID)
	snap := s.client.model.Snapshot()
	if snap.Has(p) && snap.Definition(serverID).Resource(uint16(genserver.TLSAlertCodeID)).Type == registry.UnsignedInteger {
		s.client.storeValue(p, dm.UnsignedValue(uint64(alert.Description)))
	}
}

// storeValue writes a resource with the application as the origin.
func (c *Client) storeValue(p dm.Path, v dm.Value) {
	c.store("write "+p.String(), func(t *dm.Transaction) error {
		return t.Write(p, dm.Update, []dm.Entry{{Path: p, Value: v}})
	}, nil)
}
