// Package coap tests the CoAP engine against independent implementations: go-coap in this process,
// and libcoap's coap-client and coap-server, which interop/install installs. Tests whose peer is
// missing are skipped and say so.
package coap
