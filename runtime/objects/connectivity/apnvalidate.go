package connectivity

import (
	"context"
	"fmt"
	"regexp"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

var (
	scheduleForm = regexp.MustCompile(`^[0-9]{1,9}(,[0-9]{1,9}){0,31}$`)
	networkForm  = regexp.MustCompile(`^[0-9]{3}, ?[0-9]{2,3}$`) // MCC, MNC
)

func validateAPN(_ context.Context, tx *apnconnectionprofile.Tx) error {
	for c := range tx.Changes() {
		if err := checkAPN(c.ID, c.New); err != nil {
			return err
		}
	}
	return nil
}

func checkAPN(id dm.InstanceID, i *APNInstance) error {
	fault := func(r dm.ResourceID, format string, args ...any) error {
		return refuse(apnconnectionprofile.ObjectID, id, r, format, args...)
	}
	if v := i.AuthenticationType.Or(0); v < 0 || v > apnconnectionprofile.AuthenticationTypeNone {
		return fault(apnconnectionprofile.AuthenticationTypeID, "authentication type %d: it is from 0 to 3", v)
	}
	if v := i.PDNType.Or(0); v < 0 || v > apnconnectionprofile.PDNTypeIPv4v6 {
		return fault(apnconnectionprofile.PDNTypeID, "PDN type %d: it is from 0 to 3", v)
	}
	if i.AutoSelectAPNByDevice.Or(false) && i.APN.Or("") != "" {
		return fault(apnconnectionprofile.AutoSelectAPNByDeviceID, "the profile names an APN, so the device cannot select one")
	}
	if v := i.ReconnectSchedule.Or(""); v != "" && !scheduleForm.MatchString(v) {
		return fault(apnconnectionprofile.ReconnectScheduleID, "reconnect schedule %.40q: write it as in 10,60,600", v)
	}
	for _, v := range i.Validity.All() {
		if !networkForm.MatchString(v) {
			return fault(apnconnectionprofile.ValidityID, "validity %.16q: write it as in 262,01", v)
		}
	}
	return nil
}

// refuse returns the error of a Validate hook: 4.00 with the resource.
func refuse(o dm.ObjectID, id dm.InstanceID, r dm.ResourceID, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: dm.ResourcePath(o, id, r), Err: fmt.Errorf(format, args...)}
}
