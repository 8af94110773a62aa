package transport

import "testing"

func TestOf(t *testing.T) {
	for uri, want := range map[string]string{
		"coap://h": "U", "COAPS://h:5684": "U", "coap+tcp://h": "T", "coaps+TCP://h": "T", "tel:+4912345": "S",
		"coap+ws://h": "coap+ws", "": "",
	} {
		if got := Of(uri); got != want {
			t.Errorf("the transport of %q is %q, want %q", uri, got, want)
		}
	}
}
