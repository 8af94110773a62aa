module github.com/lwm2mgen/toolkit

go 1.25.0

require (
	github.com/beevik/etree v1.8.1
	github.com/dave/jennifer v1.7.1
	github.com/rogpeppe/go-internal v1.16.0
	github.com/urfave/cli/v3 v3.14.0
)

// Test dependencies.
require github.com/google/go-cmp v0.7.0
