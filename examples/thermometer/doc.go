// Thermometer is a device with a live sensor, a private object (42769.xml) whose writes move
// hardware, and the standard Device object.
//
// Without flags it runs a tour against a server in the same process. With -server it registers at a
// server of yours and runs until it is interrupted:
//
//	go run ./examples/thermometer
//	go run ./examples/thermometer -server coap://host:5683
package main

//go:generate go run ../../cmd/lwm2mgen -out internal 42769.xml
