package main

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/credentials"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// defaultAddresses are the addresses without -listen.
var defaultAddresses = []string{
	"coap://127.0.0.1", "coaps://127.0.0.1", "coap+tcp://127.0.0.1", "coaps+tcp://127.0.0.1",
}

// address is a place to listen at.
type address struct {
	uri, scheme string
	at          netip.AddrPort
}

func (a address) secured() bool { return a.scheme == "coaps" || a.scheme == "coaps+tcp" }

// defaultPorts are the ports of the schemes that the server has.
var defaultPorts = map[string]uint16{"coap": 5683, "coaps": 5684, "coap+tcp": 5683, "coaps+tcp": 5684}

// parseAddresses parses the values of -listen. Port 0 means a free port.
func parseAddresses(uris []string) ([]address, error) {
	var all []address
	for _, uri := range uris {
		scheme, rest, _ := strings.Cut(uri, "://")
		port, known := defaultPorts[scheme]
		if !known {
			return nil, fmt.Errorf("-listen %s: write SCHEME://ADDRESS or SCHEME://ADDRESS:PORT, where SCHEME is %s",
				uri, "coap, coaps, coap+tcp or coaps+tcp")
		}
		at, err := netip.ParseAddrPort(rest)
		if err != nil {
			ip, errIP := netip.ParseAddr(strings.Trim(rest, "[]"))
			if errIP != nil {
				return nil, fmt.Errorf("-listen %s: %q is no IP address with or without a port; 0.0.0.0 means all of this machine",
					uri, rest)
			}
			at = netip.AddrPortFrom(ip, port)
		}
		all = append(all, address{uri, scheme, at})
	}
	return all, nil
}

// hosts returns the names and addresses by which devices may know the server.
func hosts(addresses []address) []string {
	all := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		all = append(all, name)
	}
	for _, a := range addresses {
		if ip := a.at.Addr(); !ip.IsUnspecified() {
			all = append(all, ip.String())
			continue
		}
		interfaces, _ := net.InterfaceAddrs() // without them the certificate has fewer addresses
		for _, i := range interfaces {
			if n, ok := i.(*net.IPNet); ok {
				all = append(all, n.IP.String())
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// listen opens a listener for each address. keys may be nil if no address is secured.
func listen(addresses []address, keys *credentials.Store) ([]socket.Listener, error) {
	var all []socket.Listener
	for _, a := range addresses {
		l, err := listenAt(a, keys)
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
			if errors.Is(err, socket.ErrAddressInUse) {
				return nil, fmt.Errorf("%s is in use: end the other server, or choose another port with -listen %s://%s:PORT",
					a.at, a.scheme, a.at.Addr())
			}
			return nil, fmt.Errorf("%s: %w", a.uri, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func listenAt(a address, keys *credentials.Store) (socket.Listener, error) {
	open := udp.Listen
	if a.scheme == "coap+tcp" || a.scheme == "coaps+tcp" {
		open = tcp.Listen
	}
	below, err := open(a.at)
	if err != nil || !a.secured() {
		return below, err
	}
	var l socket.Listener
	if a.scheme == "coaps" {
		l, err = dtls.Listen(below, dtls.ServerConfig{
			Key: func(identity []byte) (socket.Secret, error) {
				if string(identity) != credentials.Identity {
					return socket.Secret{}, fmt.Errorf("the identity is not %q", credentials.Identity)
				}
				return keys.PSK, nil
			},
			Certificate: keys.Server, ClientCAs: keys.Devices, ConnectionIDLength: 8,
		})
	} else {
		l, err = tls.Listen(below, &stdtls.Config{
			Certificates: []stdtls.Certificate{keys.Server},
			ClientCAs:    keys.Devices, ClientAuth: stdtls.RequireAndVerifyClientCert,
		})
	}
	if err != nil {
		_ = below.Close()
	}
	return l, err
}

// clientFlags returns the flags of a client for each listener.
func clientFlags(listeners []socket.Listener, keys *credentials.Store) []string {
	var all []string
	for _, l := range listeners {
		flags := "-server " + socket.ListenerURI(l)
		switch l.(socket.SchemeListener).Scheme() {
		case "coaps":
			all = append(all, flags+" "+keys.PSKFlags(), flags+" "+keys.CertificateFlags())
		case "coaps+tcp":
			all = append(all, flags+" "+keys.CertificateFlags())
		default:
			all = append(all, flags)
		}
	}
	return all
}
