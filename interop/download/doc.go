// Package download tests downloads from servers that are not ours: go-coap and net/http in this
// process, libcoap's coap-server, nginx and lighttpd, which interop/install installs, and Python's
// http.server, which has no ranges. Tests whose peer is missing are skipped and say so.
package download
