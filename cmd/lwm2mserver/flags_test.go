package main

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A device with the flags that the command flags prints registers over every transport.
func TestFlagsOfClients(t *testing.T) {
	uris := []string{"coap://127.0.0.1:0", "coaps://127.0.0.1:0", "coap+tcp://127.0.0.1:0", "coaps+tcp://127.0.0.1:0"}
	p := newProgram(t, options{}, uris...)
	var out bytes.Buffer
	if code := p.runScript(t.Context(), strings.NewReader("flags"), &out, &out); code != 0 {
		t.Fatalf("flags: %s", &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 { // two for coaps
		t.Fatalf("the flags are\n%s", &out)
	}
	for i, line := range lines {
		account := parseAccount(t, line)
		t.Run(strings.Fields(line)[1]+strings.Fields(line + " NoSec")[2], func(t *testing.T) {
			newDevice(t, account).start(t)
			out.Reset()
			script := "wait heater-1; write heater-1 Heater/0/SetPoint 60"
			code := p.runScript(t.Context(), strings.NewReader(script), &out, &out)
			if code != 0 || out.String() != "2.04 Changed\n" {
				t.Errorf("line %d: exit status %d, %s", i, code, &out)
			}
		})
	}
}

// parseAccount returns the account that the flags of examples/thermometer make.
func parseAccount(t *testing.T, line string) lwm2m.Server {
	t.Helper()
	f := flag.NewFlagSet("device", flag.ContinueOnError)
	uri, identity, key := f.String("server", "", ""), f.String("psk-identity", "", ""), f.String("psk-key", "", "")
	cert, private, server := f.String("cert", "", ""), f.String("key", "", ""), f.String("server-cert", "", "")
	if err := f.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	account := lwm2m.Server{URI: *uri}
	if *identity != "" {
		k, err := hex.DecodeString(*key)
		if err != nil {
			t.Fatal(err)
		}
		account.PSK = lwm2m.PSK{Identity: *identity, Key: socket.NewSecret(k)}
	}
	if *cert == "" {
		return account
	}
	read := func(file string) []byte {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	chain, errChain := socket.ParseCertificates(read(*cert))
	trusted, errServer := socket.ParseCertificates(read(*server))
	if errChain != nil || errServer != nil {
		t.Fatal(errChain, errServer)
	}
	account.Certificate = &lwm2m.Certificate{
		Chain: chain, PrivateKey: socket.NewSecret(read(*private)), Server: trusted[0], Usage: socket.UsageDomainIssued,
	}
	return account
}

// The server listens at loopback unless it is asked.
func TestDefaultAddresses(t *testing.T) {
	addresses, err := parseAddresses(defaultAddresses)
	if err != nil || len(addresses) != 4 {
		t.Fatal(addresses, err)
	}
	for _, a := range addresses {
		if !a.at.Addr().IsLoopback() || a.at.Port() != defaultPorts[a.scheme] {
			t.Errorf("%s is at %v", a.uri, a.at)
		}
	}
	all, err := parseAddresses([]string{"coap://0.0.0.0", "coaps://[::1]:7", "coaps+tcp://::1"})
	if err != nil || all[0].at.String() != "0.0.0.0:5683" || all[1].at.String() != "[::1]:7" || all[2].at.String() != "[::1]:5684" {
		t.Errorf("%v, %v", all, err)
	}
	if got := hosts(all); !slices.Contains(got, "127.0.0.1") || slices.Contains(got, "0.0.0.0") {
		t.Errorf("the names of the certificate are %v", got)
	}
}
