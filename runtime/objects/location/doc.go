// Package location is the LwM2M Location object (6) with its behaviour: the values of one fix are
// always read together, and a velocity is encoded as 3GPP TS 23.032 wants it.
//
// A program that gets fixes from a receiver sets them:
//
//	loc, err := location.New(location.Config{})
//	err = loc.Set(ctx, location.Fix{
//		Latitude: 43.5723, Longitude: 153.2176, Time: at,
//		Altitude: dm.Float(140),
//		Velocity: &location.Velocity{Bearing: 90, Horizontal: 3},
//	})
//
// Servers that observe the position are notified of each fix. A program that can ask its receiver
// at any time gives the function as Config.Fix instead.
//
// The main names are [New], [Config], [Location.Set], [Fix] and [Velocity].
package location
