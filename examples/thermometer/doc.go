// Thermometer is a device with a live sensor, an object of its own (26241.xml) whose writes move
// hardware, and the standard Device object.
//
//	go run ./examples/thermometer                          # a tour, with a server in the same process
//	go run ./examples/thermometer -server coap://host:5683 # at a server of yours, until interrupted
package main

//go:generate go run ../../cmd/lwm2mgen -out internal 26241.xml
