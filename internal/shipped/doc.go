// Package shipped makes the packages of generated/ from the definitions in objects-xml/, tests that
// they agree, and lists their definitions for tools.
//
// It stands outside of generated/, because go.mod excludes that folder from ./... patterns.
package shipped

//go:generate go run ../../cmd/lwm2mgen -out ../../generated -names ../../objects-xml/names ../../objects-xml/*.xml
