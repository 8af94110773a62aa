module github.com/lwm2mgen/toolkit/examples/bbolt-store

go 1.25.0

require (
	github.com/lwm2mgen/toolkit v0.0.0
	go.etcd.io/bbolt v1.4.3
)

require golang.org/x/sys v0.41.0 // indirect

replace github.com/lwm2mgen/toolkit => ../..
