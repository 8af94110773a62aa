package lwm2m

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	securityobject "github.com/lwm2mgen/toolkit/runtime/objects/security"
	serverobject "github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// ServerInstance is one instance of the Server object (1).
type ServerInstance = serverobject.Instance

// SecurityInstance is one instance of the Security object (0).
type SecurityInstance = securityobject.Instance

const (
	securityID dm.ObjectID = 0
	serverID   dm.ObjectID = 1
	accessID   dm.ObjectID = 2
	deviceID   dm.ObjectID = 3
	oscoreID   dm.ObjectID = 21
	coseID     dm.ObjectID = 23
)

// objects returns the objects of c, including the two that are made from c.Servers.
func (c *Config) objects() ([]dm.Object, error) {
	has := map[dm.ObjectID]bool{}
	for _, o := range c.Objects {
		has[o.ID()] = true
	}
	switch {
	case has[securityID] && has[serverID]:
		if len(c.Servers) > 0 {
			return nil, errors.New(
				"lwm2m: Config.Servers is set, and Config.Objects has Security (0) and Server (1): use one or the other")
		}
		return c.Objects, nil
	case has[securityID], has[serverID]:
		return nil, errors.New(
			"lwm2m: Config.Objects has only one of Security (0) and Server (1): add the other, or use Config.Servers")
	}
	sec, err := securityobject.New(securityobject.Config{ExternalKeys: c.Secure != nil})
	if err != nil {
		return nil, err
	}
	srv, err := serverobject.New(serverobject.Config{})
	if err != nil {
		return nil, err
	}
	if err := c.addAccounts(sec, srv); err != nil {
		return nil, err
	}
	return append([]dm.Object{sec, srv}, c.Objects...), nil
}

// addAccounts adds the instances of every account in c.Servers. The error names every fault.
func (c *Config) addAccounts(sec *securityobject.Object, srv *serverobject.Object) error {
	var faults []error
	used := map[ShortServerID]int{}
	instances, boot := 0, -1
	for i, s := range c.Servers {
		if err := s.validate(); err != nil {
			faults = append(faults, fmt.Errorf("lwm2m: Config.Servers[%d]: %w", i, err))
			continue
		}
		if s.PSK.Identity != "" && s.PSK.Key.Len() == 0 && c.Secure == nil {
			faults = append(faults, fmt.Errorf(
				"lwm2m: Config.Servers[%d]: PSK needs both Identity and Key, or Config.Secure, which sets the key", i))
			continue
		}
		if s.Bootstrap && boot >= 0 {
			faults = append(faults, fmt.Errorf(
				"lwm2m: Config.Servers[%d]: Servers[%d] is a bootstrap server already: a device has at most one", i, boot))
			continue
		}
		if s.Bootstrap {
			boot = i
		}
		if s.ShortID == 0 {
			s.ShortID = ShortServerID(i + 1)
		}
		if other, taken := used[s.ShortID]; taken && !s.Bootstrap {
			faults = append(faults, fmt.Errorf(
				"lwm2m: Config.Servers[%d]: ShortID %d is already used by Servers[%d]", i, s.ShortID, other))
			continue
		}
		if s.Binding == "" && !s.Bootstrap {
			s.Binding = bindingFor(bindingsOf(c.Dialers), false, c.MaxVersion)
		}
		if err := sec.Add(dm.InstanceID(i), s.security()); err != nil {
			faults = append(faults, fmt.Errorf("lwm2m: Config.Servers[%d]: %w", i, err))
			continue
		}
		if s.Bootstrap {
			continue
		}
		used[s.ShortID] = i
		if err := srv.Add(dm.InstanceID(instances), s.server()); err != nil {
			faults = append(faults, fmt.Errorf("lwm2m: Config.Servers[%d]: %w", i, err))
		}
		instances++
	}
	return errors.Join(faults...)
}

// validate returns an error that names every fault of s.
func (s *Server) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	_, _, err := socket.ParseURI(s.URI)
	fault(err != nil, "%w", err)
	fault(s.ShortID > maxShortID, "ShortID is %d, it must be from 1 to %d", s.ShortID, maxShortID)
	psk := s.PSK.Identity != "" || s.PSK.Key.Len() != 0
	fault(psk && s.Certificate != nil, "PSK and Certificate are both set: use one")
	fault(s.PSK.Key.Len() != 0 && s.PSK.Identity == "", "PSK needs both Identity and Key")
	fault(s.Certificate != nil && len(s.Certificate.Chain) == 0, "Certificate.Chain is empty")
	fault(s.Certificate != nil && s.Certificate.Usage > socket.UsageDomainIssued, "Certificate.Usage must be from 0 to 3")
	secured := strings.HasPrefix(strings.ToLower(s.URI), "coaps")
	fault(secured && !psk && s.Certificate == nil, "URI has a secured scheme, which needs PSK or Certificate")
	fault(!secured && (psk || s.Certificate != nil),
		"PSK or Certificate is set, but the scheme of URI is not secured: write coaps or coaps+tcp")
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"Lifetime", s.Lifetime}, {"MinPeriod", s.MinPeriod}, {"MaxPeriod", s.MaxPeriod}, {"HoldOff", s.HoldOff},
		{"AccountTimeout", s.AccountTimeout},
	} {
		fault(d.d%time.Second != 0, "%s is %v, it must be a whole number of seconds", d.name, d.d)
		fault(d.d < 0 && d.name != "Lifetime", "%s is %v, it must not be negative", d.name, d.d)
		fault(d.d > math.MaxInt32*time.Second, "%s is %v, it must be at most 68 years", d.name, d.d)
	}
	fault(s.MaxPeriod > 0 && s.MaxPeriod < s.MinPeriod,
		"MaxPeriod is %v, it must not be below MinPeriod, %v", s.MaxPeriod, s.MinPeriod)
	fault(!s.Bootstrap && (s.HoldOff != 0 || s.AccountTimeout != 0),
		"HoldOff and AccountTimeout belong to the account of a bootstrap server: leave them out")
	fault(s.Bootstrap && (s.ShortID != 0 || s.Lifetime != 0 || s.Binding != "" || s.MinPeriod != 0 || s.MaxPeriod != 0 ||
		s.DropNotifications || s.Instance != nil),
		"the account of a bootstrap server has no ShortID, Lifetime, Binding, MinPeriod, MaxPeriod, "+
			"DropNotifications or Instance: leave them out")
	return errors.Join(faults...)
}

// Instances returns the instances of the Security (0) and the Server object (1) for the account. It
// is for programs that make these objects themselves and add accounts while the client runs.
// ShortID must be set, except in the account of a bootstrap server, which has no Server instance:
// the second result is the zero value then. The error names every fault of s.
func (s Server) Instances() (SecurityInstance, ServerInstance, error) {
	err := s.validate()
	if err == nil && s.ShortID == 0 && !s.Bootstrap {
		err = fmt.Errorf("ShortID is 0, it must be from 1 to %d: choose one that no other account has", maxShortID)
	}
	switch {
	case err != nil:
		return SecurityInstance{}, ServerInstance{}, fmt.Errorf("lwm2m: Server: %w", err)
	case s.Bootstrap:
		return s.security(), ServerInstance{}, nil
	}
	return s.security(), s.server(), nil
}

// security returns the Security instance of the account. It supports everything that the template
// does, because a bootstrap server may write another account over it.
func (s *Server) security() securityobject.Instance {
	i := securityobject.Template()
	i.ServerURI = dm.Str(s.URI)
	i.BootstrapServer = dm.Bool(s.Bootstrap)
	i.SecurityMode = dm.Int(gensecurity.SecurityModeNoSec)
	if s.Bootstrap {
		i.ClientHoldOffTime = dm.Int(int64(s.HoldOff / time.Second))
		i.BootstrapServerAccountTimeout = dm.Int(int64(s.AccountTimeout / time.Second))
	} else {
		i.ShortServerID = dm.Int(int64(s.ShortID))
	}
	switch cert := s.Certificate; {
	case s.PSK.Identity != "":
		i.SecurityMode = dm.Int(gensecurity.SecurityModePSK)
		i.PublicKeyOrIdentity = dm.Key([]byte(s.PSK.Identity))
		i.SecretKey = dm.Key(s.PSK.Key.Bytes())
	case cert != nil:
		i.SecurityMode = dm.Int(gensecurity.SecurityModeCertificate)
		i.PublicKeyOrIdentity = dm.Key(bytes.Join(cert.Chain, nil))
		i.ServerPublicKey = dm.Key(cert.Server)
		i.SecretKey = dm.Key(cert.PrivateKey.Bytes())
		i.CertificateUsage = dm.Uint(uint64(cert.Usage))
		if cert.ServerName != "" {
			i.SNI = dm.Str(cert.ServerName)
		}
	}
	return i
}

// server returns the Server instance of the account.
func (s *Server) server() serverobject.Instance {
	i := serverobject.Template()
	lifetime := s.Lifetime
	switch {
	case lifetime == 0:
		lifetime = defaultLifetime
	case lifetime < 0:
		lifetime = 0
	}
	binding := s.Binding
	if binding == "" {
		binding = "U"
		if strings.HasSuffix(schemeOf(s.URI), "+tcp") {
			binding = "T"
		}
	}
	i.ShortServerID = dm.Int(int64(s.ShortID))
	i.Lifetime = dm.Int(int64(lifetime / time.Second))
	i.Binding = dm.Str(binding)
	i.NotificationStoringWhenDisabledOrOffline = dm.Bool(!s.DropNotifications)
	i.MuteSend = dm.Bool(false) // without a value Send is muted
	if s.MinPeriod > 0 {
		i.DefaultMinimumPeriod = dm.Int(int64(s.MinPeriod / time.Second))
	}
	if s.MaxPeriod > 0 {
		i.DefaultMaximumPeriod = dm.Int(int64(s.MaxPeriod / time.Second))
	}
	if s.Instance != nil {
		s.Instance(&i)
	}
	return i
}

// schemeOf returns the scheme of a URI in lower case.
func schemeOf(uri string) string {
	scheme, _, _ := strings.Cut(uri, ":")
	return strings.ToLower(scheme)
}
