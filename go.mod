module github.com/lwm2mgen/toolkit

go 1.25.0

require (
	github.com/beevik/etree v1.8.1 // indirect
	github.com/dave/jennifer v1.7.1 // indirect
)
