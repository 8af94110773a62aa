// Package coap holds no code but tests of the CoAP engine against peers nobody
// here wrote: go-coap in this process, and libcoap's coap-client and
// coap-server, which interop/install gets. Tests whose peer is absent are
// skipped and say so.
package coap
