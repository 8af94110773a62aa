module github.com/lwm2mgen/toolkit/examples/dtls-v2

go 1.25.0

// WARNING: v2 has CVE-2026-26014 and must not be used in products; see main.go.
require (
	github.com/lwm2mgen/toolkit v0.0.0
	github.com/pion/dtls/v2 v2.2.12
)

require (
	github.com/pion/dtls/v3 v3.1.15 // indirect
	github.com/pion/logging v0.2.4 // indirect
	github.com/pion/transport/v2 v2.2.4 // indirect
	github.com/pion/transport/v5 v5.0.0 // indirect
	golang.org/x/crypto v0.48.0 // indirect
	golang.org/x/net v0.49.0 // indirect
	golang.org/x/sys v0.41.0 // indirect
)

replace github.com/lwm2mgen/toolkit => ../..
