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
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// Config says what a [Client] is and which servers it has. Most devices set Endpoint, Servers and
// Objects. New keeps a copy of the struct; what its fields point to must not change afterwards.
type Config struct {
	// Endpoint is the Endpoint Client Name (`ep`), such as "urn:dev:ops:probe-7": at most 200
	// bytes. The zero value means that the name is not sent, and the server takes it from the
	// credentials (Core 1.2.2 §6.2.1).
	Endpoint string
	// Servers are the accounts that the device starts with, a short form of instances of the
	// Security and Server objects. The zero value means that both objects are in Objects.
	Servers []Server
	// Objects are the objects of the device. They may hold instances already, and may get more at
	// any time. Security (0) and Server (1) among them replace Servers. The zero value means that
	// the device has only these two.
	Objects []dm.Object
	// Factory is what the device starts with if it has no account at all: it takes the place of
	// Servers, and may hold instances of other objects. A device that has restored its accounts
	// into Objects does not use it. Its contents are used as a whole, or New fails. The zero value
	// means none.
	Factory Factory
	// Smartcard reads what a smartcard has for the device; see Core 1.2.2 §6.1.4, which puts it
	// before everything else. New calls it, and what it returns replaces the accounts that the
	// device has. It returns the zero Factory if there is no card, or nothing new on it. A card
	// that cannot be read or used is logged, and New goes on as without it. The zero value means
	// that the device has no smartcard.
	Smartcard func() (Factory, error)
	// Dialers are the networks: the first dialer that serves the scheme of a server's URI makes the
	// socket. The zero value means udp.Dialer{} and tcp.Dialer{}.
	Dialers []socket.Dialer

	// MinVersion and MaxVersion bound the version of LwM2M to register with. The client offers the
	// highest version first, or the one that /1/x/25 says the server supports. If the server
	// answers 4.12, the client offers the next lower version, and keeps it. The zero values mean
	// 1.0 and 1.2.
	MinVersion, MaxVersion registry.Version
	// Profile replaces the list of objects in a Register by an agreed Profile ID (`pid`), from
	// LwM2M 1.2 on (Core 1.2.2 §6.2.1). The zero value means that the list is sent.
	Profile Profile
	// SMSNumber is the MSISDN at which the device receives SMS (`sms`). The zero value means that
	// it receives none.
	SMSNumber string
	// AlternatePath is the path under which the objects of the device are, such as "/lwm2m": at
	// most 100 bytes. Names in SenML begin with it; servers may leave it out there (Transport 1.2.1
	// §6.4.1). The zero value means the root.
	AlternatePath string
	// QueueMode registers the device with queue mode: between messages it sleeps, and servers hold
	// their requests until it wakes up. The client calls the ability ReceiverOff of the socket when
	// the awake time has passed. What has to be sent wakes the device: an Update goes first, then
	// notifications, then Sends. A Q in the binding of an account (/1/x/7) means queue mode for
	// this account. The zero value means that the device is always reachable.
	QueueMode *QueueMode

	// BootstrapPack asks the bootstrap server for a Bootstrap-Pack, from LwM2M 1.2 on, and sends a
	// Bootstrap-Request if that fails (Core 1.2.2 §6.1.7.7). The zero value means that the client
	// sends a Bootstrap-Request, which every bootstrap server must support.
	BootstrapPack bool
	// ServerBootstrap keeps a connection to the bootstrap server, over which the server may begin a
	// bootstrap without a request of the device, as servers of LwM2M 1.0 do. The zero value means
	// that there is a connection during a bootstrap only, and that requests outside of one are
	// ignored, as LwM2M has it from 1.1 on.
	ServerBootstrap bool

	// Format is the Content-Format of responses to requests that accept any. The zero value means
	// TLV with LwM2M 1.0, and SenML CBOR with later versions.
	Format content.Format
	// PlainText answers a Read or Observe of a single value without Accept in plain text, or as an
	// octet stream if the value is an Opaque (Core 1.2.2 §7.4.1, §7.4.2). A single value is a
	// single-instance resource or a resource instance. Some servers expect these formats where they
	// ask for none. The zero value means that Format applies to single values, too.
	PlainText bool
	// Formats are the Content-Formats that a Register announces (`ct`), the preferred first, such
	// as SenML CBOR alone for a server that reads no lists. They bound nothing: the client reads
	// and writes every format. A registration leaves out formats that its version of LwM2M does not
	// have. An empty list that is not nil announces none. The zero value means all formats of the
	// version.
	Formats []content.Format
	// SelfNotify sends notifications to a server also for its own writes. The zero value means that
	// a server is not notified of what it has written itself.
	SelfNotify bool
	// AccessControl makes entries of the Access Control object (2) for the instances of the device,
	// those that it adds later included. It is for devices that no bootstrap server and no factory
	// file tells which server may do what. The zero value means that the client makes none by
	// itself, except for what servers create; as long as there is no entry, every server may do
	// everything (Core 1.2.2 §8.1).
	AccessControl *AccessControl
	// Histories take the place of the store for observations of their resources: while the server
	// cannot be reached nothing is stored for these, and when it is back they report the values of
	// the History, which leave it when the server has acknowledged them. The format of the
	// observation must carry times. The zero value means none.
	Histories []*History
	// SendStored reports by Send what was stored for observations that have ended with their
	// registration: after a new session, over a new stream, after a Disable. The zero value means
	// that it is dropped, and counted in ServerStatus.Dropped.
	SendStored bool
	// ResumptionKeepsRegistration sends an Update after an abbreviated handshake (RFC 5246 §7.3),
	// as to a server that knows the device by its session. A new security context needs a Register
	// (Transport 1.2.2 §6.4.3), and it is disputed whether a resumed session is one (OMA issue
	// 506). A connection that goes on by its Connection ID (RFC 9146) keeps the registration in any
	// case. The zero value means that the client registers again.
	ResumptionKeepsRegistration bool
	// Limits bound what each server can make the client keep. The zero value means the limits that
	// [Limits] documents.
	Limits Limits

	// RecoverPanics answers a request whose hook, function, stream or Persist panics with 5.00,
	// logs the panic with its stack at level Error, and goes on; so it does with a value of an
	// observation, OnStatus, Secure, and a dialer's NewSocket and Connect. The zero value means
	// that the panic continues on the loop, out of Run, Serve or ServeAny, and ends the program
	// unless it recovers there: after a panic nobody knows what state the program's own data and
	// hardware are in, and a device that starts again is in a known one. In both cases the
	// transaction is rolled back and the next one can begin. Neither catches what Go cannot recover
	// (a fatal error of the runtime such as a concurrent map write) nor panics on goroutines of the
	// program.
	RecoverPanics bool

	// Loop is an event loop that several clients share. The goroutine that called NewLoop must call
	// its Run. The zero value means that the client has a loop of its own, which Client.Run runs.
	Loop *Loop
	// Logger logs what happens, with reasons and never with secrets. The zero value means
	// slog.Default().
	Logger *slog.Logger
	// OnStatus is called on the loop when the account of a server changes its State. It may call
	// every method that is safe from any goroutine. It must not wait, and an Update of an object
	// may wait: leave that to another goroutine. The zero value means that no function is called.
	OnStatus func(ServerStatus)
	// OnBootstrap is called on the loop when the State of Status.Bootstrap changes, under the
	// conditions of OnStatus. The zero value means that no function is called.
	OnBootstrap func(BootstrapStatus)
	// OnDelivery is called on the loop with the outcome of each notification. It must be quick. The
	// zero value means that no function is called.
	OnDelivery func(Delivery)
	// Store keeps what the device must not forget over restarts: the accounts, credentials and
	// rights (objects 0, 1, 2, 21, 23 and the enrolled certificates), StoredObjects, and security
	// sessions. New restores them; what the store holds takes the place of Servers, Factory and the
	// instances in Objects. A change is durable before it is answered. After a Detach the store
	// also holds the registrations with their observations and attributes, so that the next client
	// goes on with them; see docs/lifecycle.md. The client does not close the store. Several
	// clients can share one by store.Sub. The zero value means that the device starts afresh.
	Store store.Store
	// StoredObjects are further objects that Store keeps, by their IDs, with all values that are
	// not live. Instances and values that servers have written or deleted come back so at the next
	// start; hooks run as for any change. An object that has a method Persist of the type of
	// Config.Persist, such as Firmware Update, stores its state itself: Persist is called for
	// changes that touch it, and it must not be listed. The zero value means none.
	StoredObjects []dm.ObjectID
	// BootID identifies the time since the machine was switched on or restarted. A device registers
	// again after a power cycle, so registrations in Store are used under the same BootID only. A
	// program that switches its machine off to sleep sets a constant. The zero value means
	// /proc/sys/kernel/random/boot_id on Linux; elsewhere no registration is used after a restart.
	BootID string
	// Persist stores what a transaction has changed, for a program that has a way of its own; see
	// [dm.ModelConfig]. Store does the same and more, so only one of them may be set. The zero
	// value means that nothing is stored.
	Persist func(ctx context.Context, c dm.Committed) error

	// Transmission are the transmission parameters of CoAP over datagrams. The zero value means
	// those of RFC 7252.
	Transmission coap.Params
	// BlockSize is the largest block of a block-wise transfer in bytes, a power of two from 16 to
	// 1024. The zero value means 1024.
	BlockSize int
	// MaxPayload bounds the body of one request that is kept in memory, in bytes. The zero value
	// means 64 KiB.
	MaxPayload int
	// ConnectTimeout bounds name resolution, connecting and the handshake together. The zero value
	// means MAX_TRANSMIT_WAIT of Transmission, which is 93 s with the parameters of RFC 7252.
	ConnectTimeout time.Duration
	// UpdateDelay is the shortest time between two Updates that changes cause: changes of the list
	// of objects and instances, of the lifetime and the binding, and calls of [Client.Update].
	// Further changes within that time make one Update. The zero value means 100 ms.
	UpdateDelay time.Duration
	// MaxServerPause bounds how long a server can put off the next request of the registration
	// interface with Max-Age in a 5.03 or 4.29, or with a response in many slow blocks. What a
	// server writes into its account is an order and has no such bound. The zero value means 24 h.
	MaxServerPause time.Duration
	// ShutdownTimeout bounds the de-registration when the client shuts down. A slow function,
	// Persist or a dialer's Connect that does not return although its context has ended is
	// abandoned after twice that time. The zero value means 5 s.
	ShutdownTimeout time.Duration
	// Workers is how many slow functions run at a time. The zero value means 4.
	Workers int

	// TrustStore holds the CAs for certificate usages 0 and 1. The zero value means that there are
	// none, so that only usages 2 and 3 work.
	TrustStore *x509.CertPool
	// CRLs are revocation lists for the certificates of all servers. Secure can replace them while
	// the client runs. The zero value means that revocation is not checked.
	CRLs []*x509.RevocationList
	// Secure changes the credentials of one account, for what the Security object does not hold:
	// keys in a secure element, newer revocation lists, a session store. It is called on the loop
	// before a socket is made, and must be quick. A socket outlives reconnects:
	// [Client.RenewCredentials] has Secure called again. An error keeps the account from
	// connecting. The zero value means that the account holds all credentials.
	Secure func(a Account, s *socket.Security) error
	// EST says how the device enrols for certificates at the end of a bootstrap, for accounts with
	// Security Mode 4. The zero value means the defaults that EST describes.
	EST EST
	// Socket configures everything about sockets but Security: address family, local address, MTU.
	// The zero value lets the operating system choose.
	Socket socket.Config
}

// Account says for which account [Config.Secure] is called.
type Account struct {
	// Instance is the instance of the Security object.
	Instance dm.InstanceID
	// Bootstrap tells that the account is that of a bootstrap server.
	Bootstrap bool
	// ShortID is the Short Server ID. The zero value means that there is none, as in the account of
	// a bootstrap server.
	ShortID ShortServerID
	// URI is the address of the server.
	URI string
}

// Limits bound what one server can make a client keep.
type Limits struct {
	// Observations is how many observations a server may have. A further observation is answered
	// like a Read. The zero value means 1000.
	Observations int
	// ObservedValues is how many values the observations of a server may cover together, as counted
	// when each begins. A further one is answered as a Read, except the first. The zero value means
	// 100,000.
	ObservedValues int
	// Attributes is how many nodes a server may attach attributes to. A Write-Attributes for a
	// further node is answered 5.03. The zero value means 1000.
	Attributes int
	// Pending is how many requests of a server may wait for another transaction, a slow function or
	// the store. A further request is answered 5.03. The zero value means 64.
	Pending int
	// Patience is how long a request waits for another transaction before it is answered 5.03. The
	// zero value means 30 s.
	Patience time.Duration
	// StoredValues is how many values are stored while a server cannot be reached (/1/x/6). A
	// further one takes the place of the oldest, which ServerStatus.Dropped counts. The zero value
	// means 10,000.
	StoredValues int
}

// Server is the account of one server, in a short form. At most one of PSK and Certificate may be
// set; without both the connection is not secured (NoSec).
type Server struct {
	// URI is the address of the server, such as "coaps://lwm2m.example.com". It is required.
	URI string
	// ShortID is the Short Server ID, from 1 to 65534 and different for each account. The zero
	// value means 1 for the first account, 2 for the second, and so on.
	ShortID ShortServerID
	// Bootstrap makes this the account of a bootstrap server, which has no ShortID and none of the
	// settings below Certificate. HoldOff and AccountTimeout belong to it alone. A device has at
	// most one such account (Core 1.2.2 §6.1.2). The zero value means a management server.
	Bootstrap bool
	// HoldOff is how long the client waits before a bootstrap that it or a server decides on
	// (/0/x/11), in whole seconds. The zero value means that it does not wait.
	HoldOff time.Duration
	// AccountTimeout is how long after a bootstrap the client deletes the account of the bootstrap
	// server (/0/x/12), in whole seconds. The zero value means that the account is kept.
	AccountTimeout time.Duration
	// PSK is the pre-shared key. The zero value means none.
	PSK PSK
	// Certificate secures the connection with certificates. The zero value means none.
	Certificate *Certificate

	// Lifetime is how long a registration lasts without an update, in whole seconds. A negative
	// value means for ever, which is 0 on the wire. The zero value means 24 h.
	Lifetime time.Duration
	// Binding lists the transports to register (`b`), as letters of /1/x/7. Those that the client
	// does not support are left out of a registration. The zero value means all that it supports
	// (Client.Bindings), as Core 1.2.2 §6.2.1 recommends; for Server.Instances, which knows no
	// client, it means T for a URI over TCP, and U for others.
	Binding string
	// MinPeriod and MaxPeriod are the pmin and pmax of observations without their own, in whole
	// seconds. The zero values mean none.
	MinPeriod, MaxPeriod time.Duration
	// DropNotifications sets Notification Storing When Disabled or Offline (/1/x/6) to false: what
	// the server would be notified of while it cannot be reached is not stored. The zero value
	// means that /1/x/6 is true.
	DropNotifications bool
	// Instance sets further resources of the account's Server instance. It is called with the
	// instance that was made from the other fields. The zero value means that nothing is changed.
	Instance func(*ServerInstance)
}

// PSK is a pre-shared key. Printing a PSK shows no key, in whatever struct it is.
type PSK struct {
	// Identity is sent as plaintext.
	Identity string
	// Key is the secret, made with socket.NewSecret. The zero value means that Config.Secure sets
	// the key.
	Key socket.Secret
}

// Certificate holds the certificates and the private key that secure a connection. It prints like a
// [PSK]: without the key.
type Certificate struct {
	// Chain is the certificate of the device, followed by the certificates that lead to its CA,
	// each in DER. socket.ParseCertificates reads PEM.
	Chain [][]byte
	// PrivateKey is the key of the first certificate of Chain, in PKCS #8, SEC 1 or PKCS #1, as DER
	// or PEM, in a socket.NewSecret. The zero value means that Config.Secure sets the key.
	PrivateKey socket.Secret
	// Server is a certificate in DER that the server's certificate is compared with, as Usage says.
	// The zero value means none.
	Server []byte
	// Usage says what Server is for. The zero value means UsageCAConstraint.
	Usage socket.CertificateUsage
	// ServerName is the name that the server's certificate must contain. The zero value means the
	// host of the URI.
	ServerName string
}

// Profile is a list of objects that the server and the device have agreed on.
type Profile struct {
	// ID is the registered Profile ID, such as "6:27354b9a": the number of the hash algorithm and
	// the hash (RFC 6920). The zero value means that there is no profile.
	ID string
	// Objects are the objects and instances that the profile contains; a Register lists all others.
	// The zero value means that the profile contains everything.
	Objects []dm.Path
}
