module github.com/lwm2mgen/toolkit

go 1.25.0

// Patterns such as ./... leave out the shipped objects, which hold no logic and no tests. They are
// imported as any other package; internal/shipped and runtime/dm/dmtest test them all.
ignore ./generated

require (
	aead.dev/minisign v0.3.0
	github.com/beevik/etree v1.8.1
	github.com/creack/pty v1.1.24
	github.com/dave/jennifer v1.7.1
	github.com/pion/dtls/v3 v3.1.15
	github.com/pion/logging v0.2.4
	github.com/rogpeppe/go-internal v1.16.0
	github.com/urfave/cli/v3 v3.14.0
	go.yaml.in/yaml/v4 v4.0.0
	golang.org/x/crypto v0.48.0
	golang.org/x/term v0.40.0
)

require (
	github.com/pion/transport/v5 v5.0.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/sys v0.41.0 // indirect
)

require golang.org/x/tools v0.26.0 // indirect

// Test dependencies.
require (
	github.com/fxamacker/cbor/v2 v2.9.6
	github.com/google/go-cmp v0.7.0
)
