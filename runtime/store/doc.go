// Package store keeps what a device must not forget: settings that servers wrote, registrations,
// observations, security sessions, sequence numbers. A store maps names to values. Several changes
// are applied as one batch: after a loss of power at any moment either all of them are there or
// none.
//
// [OpenDir] opens the default, a directory that survives crashes:
//
//	s, err := store.OpenDir("/var/lib/probe", store.Config{})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	err = s.Apply(
//		store.Put("dm/3308/0", setPoint),
//		store.Put("reg/101", registration),
//		store.Delete("obs/101/7"),
//	)
//
// When Apply returns without an error, the batch is durable. Load returns the records again, in
// the order of their names:
//
//	err = s.Load("dm/", func(name string, value []byte) error {
//		return restore(name, value)
//	})
//
// [Config].Key seals everything in the directory with AES-256-GCM. [Sessions] keeps security
// sessions in any Store. Another database can be used by implementing [Store], which has three
// methods; examples/bbolt-store does so with bbolt.
//
// A store that is damaged does not open: the error is a [DamageError], which says where and what to
// do. [Check] reports on a directory, [Repair] returns to the last state before the damage, and
// [Reset] puts the damaged file aside, so that the device starts from its factory settings. A batch
// that a loss of power interrupted is not damage: it is dropped, as it was never acknowledged.
package store
