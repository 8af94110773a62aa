package server_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// The settings of an account that the program creates. Most programs use lwm2m.Config.Servers
// instead.
func ExampleNew() {
	srv, err := server.New(server.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	account := server.Template()
	account.ShortServerID = dm.Int(1)
	account.Lifetime = dm.Int(86400)
	account.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
	account.Binding = dm.Str("X")
	fmt.Println(srv.Add(0, account))

	account.Binding = dm.Str("U")
	fmt.Println(srv.Add(0, account))
	// Output:
	// /1/0/7: binding "X": use each of the letters U, T, S, N, M, H at most once, and a Q behind them
	// <nil>
}
