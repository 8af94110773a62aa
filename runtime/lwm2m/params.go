package lwm2m

import (
	"strconv"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// offer is what a registration tells a server about the device. An Update sends what has changed.
type offer struct {
	lifetime time.Duration
	binding  string
	queue    bool // queue mode
	links    string
}

// offerFor returns what the server of account a has to know if the device is registered with
// version v. With noFormats the list of objects does not name the Content-Formats.
func (c *Client) offerFor(s dm.Snapshot, a *settings, v registry.Version, noFormats bool) offer {
	var formats []content.Format
	if !noFormats {
		formats = contentFormats(c.cfg.Formats, v)
	}
	return offer{
		lifetime: a.lifetime,
		binding:  bindingFor(within(a.binding, bindingsOf(c.cfg.Dialers)), c.usesQueueMode(a), v),
		queue:    c.usesQueueMode(a),
		links:    string(linkList(s, v, c.cfg.AlternatePath, c.profileFor(v), formats)),
	}
}

// profileFor returns the profile that a registration with version v uses, or nil.
func (c *Client) profileFor(v registry.Version) *Profile {
	if c.cfg.Profile.ID == "" || v.Compare(registry.V(1, 2)) < 0 {
		return nil
	}
	return &c.cfg.Profile
}

// bindingFor returns the parameter `b`. In LwM2M 1.0 it contains a Q for queue mode, which is a
// parameter of its own in later versions (Core 1.2.2 §6.2.1).
func bindingFor(binding string, queue bool, v registry.Version) string {
	plain := strings.ReplaceAll(binding, "Q", "")
	if v.Compare(registry.V(1, 1)) >= 0 {
		return plain
	}
	var old string // LwM2M 1.0 has U and S, each with or without Q, and US and UQS (1.0.2 §5.3.1.1)
	for _, letter := range []string{"U", "S"} {
		if strings.Contains(plain, letter) {
			old += letter
		}
	}
	switch {
	case old == "":
		return plain
	case !queue && plain == binding:
		return old
	case old == "US":
		return "UQS"
	}
	return old + "Q"
}

// addRegister adds the query parameters of a Register.
func (c *Client) addRegister(o *coap.Options, a *settings, v registry.Version, off *offer) {
	if c.cfg.Endpoint != "" {
		o.AddQuery("ep=" + c.cfg.Endpoint)
	}
	o.AddQuery("lt=" + strconv.FormatInt(int64(off.lifetime/time.Second), 10))
	o.AddQuery("lwm2m=" + v.String())
	if off.binding != "" {
		o.AddQuery("b=" + off.binding)
	}
	if off.queue && v.Compare(registry.V(1, 1)) >= 0 {
		o.AddQuery("Q")
	}
	if c.cfg.SMSNumber != "" {
		o.AddQuery("sms=" + c.cfg.SMSNumber)
	}
	if p := c.profileFor(v); p != nil {
		o.AddQuery("pid=" + p.ID)
	}
}

// addUpdate adds the query parameters of an Update: those that differ between old and now.
func addUpdate(o *coap.Options, old, now *offer) {
	if old.lifetime != now.lifetime {
		o.AddQuery("lt=" + strconv.FormatInt(int64(now.lifetime/time.Second), 10))
	}
	if old.binding != now.binding {
		o.AddQuery("b=" + now.binding)
	}
}

// updateIn returns how long after a Register or an Update the next Update is due: after half of a
// short lifetime, otherwise so long before the end of the lifetime that an Update with all its
// retransmissions still arrives. It returns false if the registration never expires.
func updateIn(lifetime time.Duration, p coap.Params) (time.Duration, bool) {
	if lifetime == 0 {
		return 0, false
	}
	wait := p.MaxTransmitWait()
	if lifetime < 2*wait {
		return lifetime / 2, true
	}
	return lifetime - wait, true
}
