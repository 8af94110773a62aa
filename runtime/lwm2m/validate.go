package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

const (
	maxEndpoint     = 200
	defaultShutdown = 5 * time.Second

	defaultServerPause = 24 * time.Hour
	defaultUpdateDelay = 100 * time.Millisecond
	defaultWorkers     = 4
	defaultLifetime    = 24 * time.Hour
	maxShortID         = 65534

	// maxAlternatePath leaves enough of the 256 bytes of a name in SenML for a gateway prefix and
	// the path of a node.
	maxAlternatePath = 100
)

// versions are the versions of LwM2M that the client supports, in ascending order.
var versions = [...]registry.Version{registry.V(1, 0), registry.V(1, 1), registry.V(1, 2)}

// profileForm matches a Profile ID: the number of the hash algorithm, and the hash in hexadecimal
// or base64url.
var profileForm = regexp.MustCompile(`^[0-9]{1,3}:[0-9A-Za-z_-]+$`)

// withDefaults returns c with a value in every field that has a default. The error names every
// fault.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("lwm2m: Config."+format, args...))
		}
	}
	fault(len(c.Endpoint) > maxEndpoint, "Endpoint has %d bytes, at most %d are allowed", len(c.Endpoint), maxEndpoint)
	fault(strings.ContainsFunc(c.Endpoint, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }),
		"Endpoint is %.40q, it must be UTF-8 without control characters", c.Endpoint)
	faults = append(faults, c.checkVersions()...)
	faults = append(faults, c.QueueMode.check(c.Dialers)...)
	fault(c.Factory.read != nil && len(c.Servers) > 0,
		"Servers is set, and so is Factory, which is for a device without accounts: use one or the other")
	fault(c.Profile.ID == "" && len(c.Profile.Objects) > 0, "Profile.Objects is set without Profile.ID")
	fault(c.Profile.ID != "" && !profileForm.MatchString(c.Profile.ID),
		"Profile.ID is %.40q, it must be a number and a hash: write it as 6:27354b9a", c.Profile.ID)
	fault(c.Profile.ID != "" && c.MaxVersion.Compare(registry.V(1, 2)) < 0,
		"Profile.ID needs LwM2M 1.2, but MaxVersion is %v", c.MaxVersion)
	fault(strings.Trim(strings.TrimPrefix(c.SMSNumber, "+"), "0123456789") != "" || c.SMSNumber == "+",
		"SMSNumber is %.40q, it must consist of digits, optionally after a +", c.SMSNumber)
	fault(c.AlternatePath != "" && !validAlternate(c.AlternatePath),
		"AlternatePath is %.40q, it must be a path such as /lwm2m or /a/b of letters, digits and - . _ ~, "+
			"with no segment of digits alone",
		c.AlternatePath)
	fault(len(c.AlternatePath) > maxAlternatePath, "AlternatePath has %d bytes, at most %d are allowed",
		len(c.AlternatePath), maxAlternatePath)
	fault(c.EST.Patience < 0 || c.EST.Patience > maxESTPatience, "EST.Patience is %v, it must be from 0 to %v", c.EST.Patience, maxESTPatience)
	fault(c.EST.RenewBefore < 0, "EST.RenewBefore is %v, it must not be negative", c.EST.RenewBefore)
	fault(c.ConnectTimeout < 0, "ConnectTimeout is %v, it must not be negative", c.ConnectTimeout)
	fault(c.UpdateDelay < 0, "UpdateDelay is %v, it must not be negative", c.UpdateDelay)
	fault(c.MaxServerPause < 0, "MaxServerPause is %v, it must not be negative", c.MaxServerPause)
	fault(c.ShutdownTimeout < 0, "ShutdownTimeout is %v, it must not be negative", c.ShutdownTimeout)
	fault(c.Loop != nil && c.Loop.sched == nil, "Loop is the zero value: make it with NewLoop")
	fault(c.Workers < 0, "Workers is %d, it must not be negative", c.Workers)
	fault(c.BlockSize != 0 && (c.BlockSize < 16 || c.BlockSize > 1024 || c.BlockSize&(c.BlockSize-1) != 0),
		"BlockSize is %d, it must be a power of two from 16 to 1024", c.BlockSize)
	fault(c.MaxPayload < 0 || c.MaxPayload > 1<<30, "MaxPayload is %d, it must be from 0 to 1 GiB", c.MaxPayload)
	fault(c.Format != 0 && !c.Format.Carries(content.Read, dm.ObjectLevel),
		"Format is %v, which cannot carry an object", c.Format)
	for i, f := range c.Formats {
		fault(!canAnnounce(f), "Formats[%d] is %v, which is not a format of values", i, f)
		fault(slices.Contains(c.Formats[:i], f), "Formats[%d] is %v, which the list contains already", i, f)
	}
	fault(c.Limits.Observations < 0, "Limits.Observations is %d, it must not be negative", c.Limits.Observations)
	fault(c.Limits.ObservedValues < 0, "Limits.ObservedValues is %d, it must not be negative", c.Limits.ObservedValues)
	fault(c.Limits.Attributes < 0, "Limits.Attributes is %d, it must not be negative", c.Limits.Attributes)
	fault(c.Limits.Pending < 0, "Limits.Pending is %d, it must not be negative", c.Limits.Pending)
	fault(c.Limits.StoredValues < 0, "Limits.StoredValues is %d, it must not be negative", c.Limits.StoredValues)
	fault(c.Limits.Patience < 0, "Limits.Patience is %v, it must not be negative", c.Limits.Patience)
	if err := c.Transmission.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("lwm2m: Config.Transmission: %w", err))
	}
	fault(c.Socket.Security.Mode != socket.ModeNoSec,
		"Socket.Security is set: put credentials into the accounts, or set Secure")
	fault(c.Store != nil && c.Persist != nil, "Store and Persist are both set: Store keeps the data model, too, use one or the other")
	fault(c.Store == nil && len(c.StoredObjects) > 0, "StoredObjects is set without Store")
	for i, id := range c.StoredObjects {
		fault(!slices.ContainsFunc(c.Objects, func(o dm.Object) bool { return o != nil && o.ID() == id }) && !slices.Contains(alwaysStored[:], id),
			"StoredObjects[%d] is %d, which is not the ID of an object in Objects", i, id)
		fault(slices.ContainsFunc(c.Objects, func(o dm.Object) bool { return o != nil && o.ID() == id && storesItself(o) }),
			"StoredObjects[%d] is %d, an object that stores its state itself: remove it from StoredObjects", i, id)
	}
	for i, d := range c.Dialers {
		fault(d == nil, "Dialers[%d] is nil", i)
	}
	for i, o := range c.Objects {
		fault(o == nil || o.Definition() == nil, "Objects[%d] is nil, or its zero value: make it with New", i)
	}
	if len(faults) > 0 {
		return c, errors.Join(faults...)
	}
	if c.Dialers == nil {
		c.Dialers = defaultDialers()
	}
	if c.BootID == "" && c.Store != nil {
		c.BootID = defaultBootID()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.EST.Patience == 0 {
		c.EST.Patience = defaultESTPatience
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = c.Transmission.MaxTransmitWait()
	}
	if c.UpdateDelay == 0 {
		c.UpdateDelay = defaultUpdateDelay
	}
	if c.MaxServerPause == 0 {
		c.MaxServerPause = defaultServerPause
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = defaultShutdown
	}
	if c.Workers == 0 {
		c.Workers = defaultWorkers
	}
	return c, nil
}

// checkVersions checks the bounds of the version. It also sets their defaults, which later checks
// use.
func (c *Config) checkVersions() []error {
	if c.MinVersion.IsZero() {
		c.MinVersion = versions[0]
	}
	if c.MaxVersion.IsZero() {
		c.MaxVersion = versions[len(versions)-1]
	}
	var faults []error
	known := func(v registry.Version) bool {
		for _, w := range versions {
			if v == w {
				return true
			}
		}
		return false
	}
	if !known(c.MinVersion) || !known(c.MaxVersion) {
		faults = append(faults, fmt.Errorf(
			"lwm2m: Config.MinVersion %v and MaxVersion %v: LwM2M has 1.0, 1.1 and 1.2", c.MinVersion, c.MaxVersion))
	}
	if c.MinVersion.Compare(c.MaxVersion) > 0 {
		faults = append(faults, fmt.Errorf(
			"lwm2m: Config.MinVersion %v is above MaxVersion %v", c.MinVersion, c.MaxVersion))
	}
	return faults
}

// validAlternate reports whether p is a path whose segments need no escaping in a link, and cannot
// be mistaken for object IDs.
func validAlternate(p string) bool {
	if p[0] != '/' || len(p) < 2 {
		return false
	}
	for _, segment := range strings.Split(p[1:], "/") {
		digits := true
		for _, r := range segment {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-._~", r)
			if !letter && (r < '0' || r > '9') {
				return false
			}
			digits = digits && !letter
		}
		if digits { // or empty
			return false
		}
	}
	return true
}

// persister is an object that keeps its state by itself, in the order that its work needs. Storing
// it a second time would restore an older state.
type persister interface {
	dm.Object
	// Persist is that of dm.ModelConfig for transactions that touch the object.
	Persist(context.Context, dm.Committed) error
}

func storesItself(o dm.Object) bool {
	_, ok := o.(persister)
	return ok
}
