package enrolment_test

import (
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// A certificate that the factory has installed, before the first bootstrap.
func ExampleNew() {
	certs, err := enrolment.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(certs.Add(0, enrolment.Instance{
		Certificates: dm.Key([]byte("certificate in DER")), PrivateKey: dm.Key([]byte("key in PKCS #8")),
	}))
	inst, _ := certs.Get(0)
	fmt.Println(inst.Certificates, inst.PrivateKey)
	// Output:
	// <nil>
	// [redacted] [redacted]
}

// An instance without a certificate is refused.
func TestCertificatesAreMandatory(t *testing.T) {
	certs, err := enrolment.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := certs.Add(0, enrolment.Instance{PrivateKey: dm.Key([]byte("key"))}); err == nil {
		t.Error("an instance without a certificate is accepted")
	}
}
