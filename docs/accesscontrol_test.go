package docs_test

import (
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// The code of accesscontrol.md. These functions are compiled and never called.
var _ = []any{newShared, newRights}

func newShared() (*lwm2m.Client, error) {
	cfg := lwm2m.Config{
		Endpoint: "pump-3",
		Servers: []lwm2m.Server{
			{URI: "coaps://owner.example.com", ShortID: 1},
			{URI: "coaps://monitor.example.com", ShortID: 2},
		},
		AccessControl: &lwm2m.AccessControl{
			Owner:  1,
			Rights: map[lwm2m.ShortServerID]accesscontrol.Rights{2: accesscontrol.Read},
		},
	}
	return lwm2m.New(cfg)
}

func newRights() error {
	rights, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		return err
	}
	err = rights.Add(0, accesscontrol.Entry(dm.InstancePath(3, 0), 1, map[dm.ShortServerID]accesscontrol.Rights{
		2: accesscontrol.Read | accesscontrol.Execute,
	}))
	if err != nil {
		return err
	}
	err = rights.Add(1, accesscontrol.Entry(dm.ObjectPath(3303), accesscontrol.BootstrapOwner,
		map[dm.ShortServerID]accesscontrol.Rights{2: accesscontrol.Create}))
	return err
}
