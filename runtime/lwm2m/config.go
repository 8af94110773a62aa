package lwm2m

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Config is what a [Client] is made with. New keeps a copy; what it points to must not change any more.
type Config struct {
	// Endpoint is the Endpoint Client Name (`ep`), such as "urn:dev:ops:probe-7": at most 200 bytes. Zero: the name is not sent,
	// and the server takes it from the credentials (Core 1.2.2 §6.2.1).
	Endpoint string
	// Servers are the accounts the device starts with: the short way to the Security and Server objects. Zero: both objects are
	// in Objects.
	Servers []Server
	// Objects are the device's objects. They may hold instances already and get more at any time. Security (0) and Server (1)
	// among them take the place of Servers. Zero: none but those two.
	Objects []dm.Object
	// Dialers are the networks: the first that serves the scheme of a server's URI makes the socket. Zero: udp and tcp.
	Dialers []socket.Dialer

	// MinVersion and MaxVersion bound the version of LwM2M that is registered with. The highest is tried first, unless
	// /1/x/25 says what the server speaks; a server that answers 4.12 is offered the next lower one, and keeps it. Zero: 1.0 and
	// 1.2.
	MinVersion, MaxVersion registry.Version
	// Profile names the list of objects by an agreed Profile ID (`pid`), from LwM2M 1.2 on (Core 1.2.2 §6.2.1). Zero: the
	// list is sent.
	Profile Profile
	// SMSNumber is the MSISDN under which the device takes SMS, for the parameter `sms`. Zero: it takes none.
	SMSNumber string
	// AlternatePath is the path under which the device has its objects, such as "/lwm2m". Zero: the root.
	AlternatePath string
	// QueueMode registers with queue mode: the device may be out of reach between its registration updates. Zero: it is
	// reachable all the time.
	QueueMode bool

	// Format is the Content-Format of answers to servers that ask for none. Zero: TLV with LwM2M 1.0, SenML CBOR later.
	Format content.Format
	// SelfNotify has servers told of their own writes by their observations, too. Zero: they know.
	SelfNotify bool
	// Limits bound what each server can make the client keep. Zero: see [Limits].
	Limits Limits

	// RecoverPanics answers a request whose hook, function, stream or Persist panics with 5.00, logs the
	// panic with its stack at level Error, and goes on; so it does with a value of an observation. The
	// zero value means that the panic continues on the loop, out of Run, Serve or ServeAny, and ends the
	// program unless it recovers there: after a panic nobody knows what state the program's own data and
	// hardware are in, and a device that starts again is in a known one. In both cases the transaction is
	// rolled back and the next one can begin. Neither catches what Go cannot recover (a fatal error of
	// the runtime such as a concurrent map write) nor panics on goroutines of the program.
	RecoverPanics bool

	// Loop is the event loop to share with other clients, and who makes it runs it. Zero: the client has one of its own, which
	// Run runs.
	Loop *Loop
	// Logger takes what happens, with reasons, never with secrets. Zero: slog.Default.
	Logger *slog.Logger
	// OnStatus is called on the loop when a server's account gets another State. It may call every method that may be called from any
	// goroutine. It must not wait, which an Update of an object may: leave that to another goroutine. Zero: nobody is told.
	OnStatus func(ServerStatus)
	// Persist stores what a transaction changed; see dm.ModelConfig. Zero: nothing is stored.
	Persist func(ctx context.Context, c dm.Committed) error

	// Transmission are the parameters of CoAP over datagrams. Zero: those of RFC 7252.
	Transmission coap.Params
	// BlockSize is the largest block of a block-wise transfer, a power of two from 16 to 1024, in bytes. Zero: 1024.
	BlockSize int
	// MaxPayload bounds, in bytes, what is kept in memory of one request. Zero: 64 KiB.
	MaxPayload int
	// ConnectTimeout bounds resolving a name, connecting and the handshake together. Zero: MAX_TRANSMIT_WAIT of
	// Transmission, 93 s with RFC 7252's.
	ConnectTimeout time.Duration
	// UpdateDelay is the least time between Updates because of changes: of the list of objects and
	// instances, of the lifetime and the binding, and by calls of [Client.Update]. What changes in the
	// meantime is one Update. The zero value means 100 ms.
	UpdateDelay time.Duration
	// MaxServerPause bounds how long a server can put off the next request of the registration
	// interface with Max-Age in a 5.03 or 4.29. What a server writes into its account is an order and has
	// no such bound. The zero value means 24 h.
	MaxServerPause time.Duration
	// ShutdownTimeout bounds the de-registration when the client is shut down. A slow function, Persist or a Dialer's Connect that
	// does not return although its context has ended is given up after twice that. Zero: 5 s.
	ShutdownTimeout time.Duration
	// Workers is how many slow functions run at a time. Zero: 4.
	Workers int

	// TrustStore holds the CAs for certificate usages 0 and 1. Zero: none, which leaves usages 2 and 3.
	TrustStore *x509.CertPool
	// Secure has the last word on the credentials of a connection, for what an account cannot hold: keys in a secure element,
	// revocation lists, a store of sessions. It is called on the loop before a socket is made, with the server's URI, and must be
	// quick. An error keeps the account from connecting. Zero: the account says it all.
	Secure func(uri string, s *socket.Security) error
	// Socket is what sockets are made with besides Security: address family, local address, MTU. Zero: the system's choice.
	Socket socket.Config
}

// Limits bound what one server can make a client keep.
type Limits struct {
	// Observations is how many observations a server may have. A further one is answered as a Read. Zero: 1000.
	Observations int
	// ObservedValues is how many values the observations of a server may cover together, as counted when
	// each begins. A further one is answered as a Read, except the first. The zero value means 100,000.
	ObservedValues int
	// Attributes is the number of nodes that a server may attach attributes to. A further one is 5.03. Zero: 1000.
	Attributes int
	// Pending is how many requests of a server may wait: for another transaction, a slow function or the store. A further one is
	// 5.03. Zero: 64.
	Pending int
	// Patience is how long a request waits for another transaction before it is 5.03. Zero: 30 s.
	Patience time.Duration
}

// Server is one account in its short form. Exactly one of PSK and Certificate may be set; none is NoSec.
type Server struct {
	// URI says where the server is, such as "coaps://lwm2m.example.com". Required.
	URI string
	// ShortID is the Short Server ID, 1..65534, different for each. Zero: 1 for the first account, 2 for the second, and so on.
	ShortID ShortServerID
	// Bootstrap makes it the account of a bootstrap server, which has neither ShortID nor the settings below Certificate.
	// Zero: a management server.
	Bootstrap bool
	// PSK is the pre-shared key. Zero: none.
	PSK PSK
	// Certificate secures the connection by certificates. Zero: none.
	Certificate *Certificate

	// Lifetime is how long a registration lasts without an update, in whole seconds. Zero: 24 h. Negative: for ever, which is
	// 0 on the wire.
	Lifetime time.Duration
	// Binding are the transports to register, as letters of /1/x/7. Zero: T for a URI over TCP, U for others.
	Binding string
	// MinPeriod and MaxPeriod are the pmin and pmax of observations without their own, in whole seconds. Zero: none.
	MinPeriod, MaxPeriod time.Duration
	// DropNotifications drops what happens while the device is offline. Zero: notifications are stored (/1/x/6).
	DropNotifications bool
	// Instance sets any other resource of the account's Server instance: it is called with the instance made of the other
	// fields. Zero: they suffice.
	Instance func(*ServerInstance)
}

// PSK is a pre-shared key. Printing it, or what has it in an exported field, shows no key; of unexported fields package fmt
// prints the bytes, whatever their type says.
type PSK struct {
	// Identity is sent in the clear.
	Identity string
	// Key is the secret.
	Key []byte
}

// Certificate is what certificates secure a connection with. It prints as PSK does.
type Certificate struct {
	// Chain is the device's certificate and then those that lead to its CA, each in DER; socket.ParseCertificates reads PEM.
	Chain [][]byte
	// PrivateKey is the key of the first of Chain, in PKCS #8, SEC 1 or PKCS #1, as DER or PEM. Zero: Config.Secure brings it.
	PrivateKey []byte
	// Server is what the server's certificate is held against, as Usage says, in DER: a certificate. Zero: nothing.
	Server []byte
	// Usage says what Server is for. Zero: UsageCAConstraint.
	Usage socket.CertificateUsage
	// ServerName is the name the server's certificate must carry. Zero: the host of the URI.
	ServerName string
}

// Profile is a list of objects that server and device have agreed upon.
type Profile struct {
	// ID is the profile's ID as registered, such as "6:27354b9a": the number of the hash algorithm and the hash (RFC 6920).
	// Zero: there is no profile.
	ID string
	// Objects are the objects and instances that the profile covers; others are listed besides it. Zero: the profile covers
	// everything.
	Objects []dm.Path
}
