package security_test

import (
	"fmt"

	values "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
)

// An account that the program creates. Most programs use lwm2m.Config.Servers instead.
func ExampleNew() {
	sec, err := security.New(security.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	account := security.Template()
	account.ServerURI = dm.Str("coaps://lwm2m.example.com")
	account.BootstrapServer = dm.Bool(false)
	account.SecurityMode = dm.Int(values.SecurityModePSK)
	account.PublicKeyOrIdentity = dm.Key([]byte("heater-7"))
	account.ShortServerID = dm.Int(1)
	fmt.Println(sec.Add(0, account))

	account.SecretKey = dm.Key([]byte("sixteen byte key"))
	fmt.Println(sec.Add(0, account))
	inst, _ := sec.Get(0)
	fmt.Println(inst.ServerURI, inst.SecretKey)
	// Output:
	// /0/0/2: a pre-shared key needs Public Key or Identity (3) and Secret Key (5)
	// <nil>
	// coaps://lwm2m.example.com [redacted]
}
