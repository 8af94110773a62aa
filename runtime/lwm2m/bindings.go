package lwm2m

import (
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// supportedBinding is the resource that lists the transports of a device.
var supportedBinding = dm.ResourcePath(deviceID, 0, 16)

// bindings are the letters of transports in the order of Core 1.2.2 Appendix E, with the URI
// schemes that stand for them.
var bindings = []struct {
	letter  string
	schemes []string
}{
	{"U", []string{"coap", "coaps"}},
	{"T", []string{"coap+tcp", "coaps+tcp"}},
	{"S", []string{"tel"}},
}

// bindingsOf returns the letters of the transports that the dialers serve.
func bindingsOf(dialers []socket.Dialer) string {
	var letters string
	for _, b := range bindings {
		serves := func(d socket.Dialer) bool {
			return slices.ContainsFunc(d.Schemes(), func(s string) bool { return slices.Contains(b.schemes, s) })
		}
		if slices.ContainsFunc(dialers, serves) {
			letters += b.letter
		}
	}
	return letters
}

// Bindings returns the transports that the client supports, which are those of Config.Dialers, as
// letters of /3/0/16: U for UDP, T for TCP. It is the same for all servers. In LwM2M 1.0, if the
// client offers no later version, there is no T, and a Q means queue mode. The Device object of
// package objects/device reads its /3/0/16 from Bindings; in a Device object of your own, let a
// function do so:
//
//	SupportedBindingAndModes: dm.Func(func(ctx context.Context) (string, error) {
//		return lwm2m.FromContext(ctx).Bindings(), nil
//	})
//
// It is safe to call from any goroutine.
func (c *Client) Bindings() string {
	return bindingFor(bindingsOf(c.cfg.Dialers), c.cfg.QueueMode != nil, c.cfg.MaxVersion)
}

// within returns the letters of binding that supported has, too, and Q. If there are none, or if
// the dialers stand for no letter, it returns what is left to say.
func within(binding, supported string) string {
	if supported == "" {
		return binding
	}
	plain := strings.Map(func(r rune) rune {
		if r != 'Q' && !strings.ContainsRune(supported, r) {
			return -1
		}
		return r
	}, binding)
	if strings.Trim(plain, "Q") == "" {
		return supported + plain
	}
	return plain
}

// checkBindings warns if a Device object says other transports than the dialers have. The client
// does not change what the application says.
func (c *Client) checkBindings(snap dm.Snapshot) {
	v, err := snap.Value(dm.RefuseSlow(c.ctx), dm.Application, supportedBinding)
	if err != nil {
		return
	}
	letters := func(s string) string {
		all := []byte(strings.ReplaceAll(s, "Q", ""))
		slices.Sort(all)
		return string(all)
	}
	if has := c.Bindings(); has != "" && letters(v.Text()) != letters(has) {
		c.log.Warn("the Device object does not say the transports of the dialers in /3/0/16: use Client.Bindings",
			"endpoint", c.cfg.Endpoint, "says", v.Text(), "supported", has)
	}
}
