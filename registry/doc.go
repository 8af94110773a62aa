// Package registry is the vocabulary of LwM2M object definitions: what the Open Mobile Alliance
// registers about an object (its ID, its versions, its resources) as plain Go values.
//
// Definitions come from two places: package omaxml reads them from OMA's XML, and every generated
// package carries one as its metadata table. A definition is never changed once it is in use, so all
// functions here are safe for concurrent use.
package registry
