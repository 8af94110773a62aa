// Package dmtest tests an object of the data model in the way in which servers will use it. The
// object is a generated one with the hooks, functions and template of your program:
//
//	func TestSetPoint(t *testing.T) {
//		obj := newSetPoint(fakeValve()) // with an instance, as your program creates it
//		dmtest.Object(t, obj)
//	}
//
// [Object] is the test, and [Except] is its [Option] that leaves resources out. Object writes to
// the object hundreds of times, and the hooks run. Give it an object that drives fakes instead of
// hardware.
package dmtest
