module github.com/lwm2mgen/toolkit

go 1.25.0
