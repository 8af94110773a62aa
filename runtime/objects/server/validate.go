package server

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// validate checks every instance that the transaction changes.
func validate(tx *server.Tx) error {
	changed := false
	for c := range tx.Changes() {
		changed = true
		if err := check(c.ID, c.New); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	seen := map[int64]dm.InstanceID{}
	for id, inst := range tx.All() {
		short, ok := inst.ShortServerID.Get()
		if !ok {
			continue
		}
		if other, taken := seen[short]; taken {
			return refuse(id, server.ShortServerIDID, "instance %d has the Short Server ID %d already", other, short)
		}
		seen[short] = id
	}
	return nil
}

// maxSeconds is 100 years, the longest time that a client keeps. A longer one would be cut on its
// way.
const maxSeconds = 100 * 365 * 24 * 60 * 60

func refuse(id dm.InstanceID, r dm.ResourceID, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: dm.ResourcePath(server.ObjectID, id, r),
		Err: fmt.Errorf(format, args...)}
}

func check(id dm.InstanceID, i *Instance) error {
	for _, t := range []struct {
		id dm.ResourceID
		r  dm.Res[int64]
	}{
		{server.LifetimeID, i.Lifetime},
		{server.DefaultMinimumPeriodID, i.DefaultMinimumPeriod},
		{server.DefaultMaximumPeriodID, i.DefaultMaximumPeriod},
		{server.DisableTimeoutID, i.DisableTimeout},
	} {
		switch v := t.r.Or(0); {
		case v < 0:
			return refuse(id, t.id, "%d seconds: a time must not be negative", v)
		case v > maxSeconds:
			return refuse(id, t.id, "%d seconds: a time has at most 100 years, %d seconds", v, int64(maxSeconds))
		}
	}
	if b, ok := i.Binding.Get(); ok && !validBinding(b) {
		return refuse(id, server.BindingID, "binding %.16q: use each of the letters U, T, S, N, M, H at most once, and a Q behind them", b)
	}
	if p, ok := i.PreferredTransport.Get(); ok && (len(p) != 1 || !strings.Contains(transports, p)) {
		return refuse(id, server.PreferredTransportID,
			"preferred transport %.16q: it must be one of the letters U, T, S, N, M, H", p)
	}
	for _, v := range i.SupportedServerVersions.All() {
		if !validVersion(v) {
			return refuse(id, server.SupportedServerVersionsID,
				"version %.16q: write it as major.minor or major.minor.patch", v)
		}
	}
	return nil
}

// transports are the letters of bindings (Core 1.2.2 §6.2.1.2).
const transports = "UTSNMH"

// validBinding accepts the letters of LwM2M 1.1 and later, and Q as in 1.0: UQ, SQ, UQS.
func validBinding(b string) bool {
	for i, c := range b {
		if !strings.ContainsRune(transports+"Q", c) || strings.ContainsRune(b[:i], c) {
			return false
		}
	}
	return b != "" && b[0] != 'Q'
}

func validVersion(v string) bool {
	parts := strings.Split(v, ".")
	if len(parts) != 2 && len(parts) != 3 {
		return false
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 8); err != nil {
			return false
		}
	}
	return true
}
