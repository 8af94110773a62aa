package docs_test

import (
	"log"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

var _ = addBootstrapServer // compiled and never called

// addBootstrapServer is the code that docs/bootstrap.md prints.
func addBootstrapServer(cfg *lwm2m.Config) {
	cfg.Servers = []lwm2m.Server{{URI: "coap://bootstrap.example.com", Bootstrap: true}}
	cfg.OnBootstrap = func(s lwm2m.BootstrapStatus) { log.Println(s) }
}

var _ = addFactoryFile // compiled and never called

// addFactoryFile is further code that docs/bootstrap.md prints.
func addFactoryFile(cfg *lwm2m.Config) {
	cfg.Factory = lwm2m.FactoryFile("factory.cbor")
}
