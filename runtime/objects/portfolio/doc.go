// Package portfolio is the LwM2M Portfolio object (16) with its behaviour: texts about the device
// or what it is built into, which servers may write, and a function of your program that signs or
// encrypts them.
//
//	bag, err := portfolio.New(portfolio.Config{
//		GetAuthData: func(ctx context.Context, identity []string, _ dm.Args) ([][]byte, error) {
//			signature, err := secure.Sign(ctx, strings.Join(identity, "\n"))
//			return [][]byte{signature}, err
//		},
//	})
//	err = bag.Add(0, portfolio.Instance{Identity: dm.Strs("4711", "Example", "Meter", "1.2")})
//
// A server executes GetAuthData (/16/0/1), reads AuthStatus (/16/0/3) or observes it, and reads the
// result in AuthData (/16/0/2). AuthStatus is idle again when a server has read the result.
//
// The main names are [New], [Config], [Instance] and [Portfolio].
package portfolio
