// Package dmtest tests an object of the data model as its servers will use it: generated, with the
// hooks, functions and template of the program that it is for.
//
//	func TestSetPoint(t *testing.T) {
//		obj := newSetPoint(fakeValve()) // as the program makes it, with an instance
//		dmtest.Object(t, obj)
//	}
//
// Object writes to the object, with hooks and all, hundreds of times: give it one that drives fakes.
package dmtest
