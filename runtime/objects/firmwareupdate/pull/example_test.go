package pull_test

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
)

// A device that downloads images over CoAP.
func ExampleNew() {
	client, err := download.New(download.Config{Dialers: []socket.Dialer{udp.Dialer{}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	cfg := firmwareupdate.Config{ // with the other fields
		Downloader: pull.New(client, download.Records{}),
	}
	fmt.Println(cfg.Downloader.Schemes())
	// Output: [coap]
}
