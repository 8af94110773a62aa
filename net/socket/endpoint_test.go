package socket_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestParseURI(t *testing.T) {
	for uri, want := range map[string]struct {
		scheme string
		remote socket.Endpoint
	}{
		"coap://example.com":                   {"coap", socket.Endpoint{Host: "example.com", Port: 5683}},
		"COAPS://Example.COM":                  {"coaps", socket.Endpoint{Host: "Example.COM", Port: 5684}},
		"coap+tcp://192.0.2.1:7":               {"coap+tcp", socket.Endpoint{Host: "192.0.2.1", Port: 7}},
		"coaps+tcp://[2001:db8::1]":            {"coaps+tcp", socket.Endpoint{Host: "2001:db8::1", Port: 5684}},
		"coap://[fe80::1%25eth0]:61616/rd?x=1": {"coap", socket.Endpoint{Host: "fe80::1%eth0", Port: 61616}},
		"https://files.example/fw.bin":         {"https", socket.Endpoint{Host: "files.example", Port: 443}},
		"coaps://example.com:65535/a/b":        {"coaps", socket.Endpoint{Host: "example.com", Port: 65535}},
		"tel:+15550100":                        {"tel", socket.Endpoint{Host: "+15550100"}},
		"tel:110":                              {"tel", socket.Endpoint{Host: "110"}},
		"x-radio://7":                          {"x-radio", socket.Endpoint{Host: "7"}},
	} {
		scheme, remote, err := socket.ParseURI(uri)
		if err != nil || scheme != want.scheme || remote != want.remote {
			t.Errorf("%s: %s, %+v, %v; want %+v", uri, scheme, remote, err, want)
		}
	}
	for uri, want := range map[string]string{
		"":                                   "no scheme",
		"example.com":                        "no scheme",
		"example.com:5683":                   "no scheme",
		"localhost:5683":                     "no scheme",
		"192.0.2.1:5683":                     "no scheme",
		" coap://host":                       "white space",
		"coap://":                            "no host",
		"coap:":                              "no host",
		"coap://::1":                         "brackets",
		"coap:example.com":                   "coap://host",
		"coap:///path":                       "no host",
		"coap://:5683":                       "no host",
		"coap://host:0":                      "port 0",
		"coap://host:65536":                  "port 65536",
		"coap://host:port":                   "port",
		"coap://a b":                         "host",
		"coap://host\n":                      "white space",
		"coap://ho\nst":                      "control character",
		"coap://user:hunter2@host":           "user part",
		"coap://[::1":                        "']'",
		"coap://" + strings.Repeat("a", 300): "300 characters",
		strings.Repeat("z", 5000) + "%zz://\x7f/": "server URI",
	} {
		_, _, err := socket.ParseURI(uri)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want something about %q", uri, err, want)
		}
		if err != nil && (len(err.Error()) > 400 || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%.60q: the error shows too much: %v", uri, err)
		}
	}
}

func TestEndpointString(t *testing.T) {
	for want, e := range map[string]socket.Endpoint{
		"example.com:5683":   {Host: "example.com", Port: 5683},
		"[2001:db8::1]:5684": {Host: "2001:db8::1", Port: 5684},
		"+15550100":          {Host: "+15550100"},
	} {
		if got := e.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, host := range []string{"example.com", "192.0.2.1", "2001:db8::1", "fe80::1"} {
		for _, scheme := range []string{"coap", "coaps", "coap+tcp", "coaps+tcp"} {
			f.Add(scheme + "://" + socket.Endpoint{Host: host, Port: 1234}.String() + "/path")
		}
	}
	f.Add("tel:+15550100")
	f.Add("coap://[fe80::1%25eth0]")
	f.Fuzz(func(t *testing.T, uri string) {
		scheme, remote, err := socket.ParseURI(uri)
		if err != nil {
			if scheme != "" || remote != (socket.Endpoint{}) {
				t.Errorf("%q: %v, and yet %q, %v", uri, err, scheme, remote)
			}
			return
		}
		if scheme == "" || remote.Host == "" || len(remote.Host) > 255 {
			t.Fatalf("%q: %q, %+v", uri, scheme, remote)
		}
		if strings.ContainsAny(remote.Host, "%") || remote.Port == 0 {
			return // zones and opaque parts have a written form of their own
		}
		again, back, err := socket.ParseURI(scheme + "://" + remote.String())
		if err != nil || again != scheme || back != remote {
			t.Errorf("%q: %q, %+v; written and parsed again: %q, %+v, %v", uri, scheme, remote, again, back, err)
		}
	})
}

func TestFamilyOrder(t *testing.T) {
	a4, b4 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	a6, b6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	mapped := netip.MustParseAddr("::ffff:192.0.2.2")
	given := []netip.Addr{a6, a4, mapped, b6}
	none := netip.Addr{}
	for _, c := range []struct {
		family socket.Family
		sticky netip.Addr
		want   []netip.Addr
	}{
		{socket.AnyFamily, none, []netip.Addr{a6, a4, b4, b6}},
		{socket.PreferIPv4, none, []netip.Addr{a4, b4, a6, b6}},
		{socket.PreferIPv6, none, []netip.Addr{a6, b6, a4, b4}},
		{socket.ForceIPv4, none, []netip.Addr{a4, b4}},
		{socket.ForceIPv6, none, []netip.Addr{a6, b6}},
		{socket.AnyFamily, b6, []netip.Addr{b6, a6, a4, b4}},
		{socket.ForceIPv4, mapped, []netip.Addr{b4, a4}},
		{socket.ForceIPv4, b6, []netip.Addr{a4, b4}},
		{socket.PreferIPv4, netip.MustParseAddr("192.0.2.9"), []netip.Addr{a4, b4, a6, b6}},
	} {
		if got := c.family.Order(given, c.sticky); !slices.Equal(got, c.want) {
			t.Errorf("%v, sticky %v: %v, want %v", c.family, c.sticky, got, c.want)
		}
	}
	if got := socket.ForceIPv6.Order([]netip.Addr{a4}, none); len(got) != 0 {
		t.Errorf("IPv6 only, of IPv4 addresses: %v", got)
	}
}
