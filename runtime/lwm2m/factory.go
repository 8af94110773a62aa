package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/provision"
)

// Factory is what a device is provisioned with before it has any server: instances of Security (0)
// and Server (1), and of any other objects, in the form of a Bootstrap-Pack in SenML CBOR, SenML
// JSON or LwM2M CBOR (Core 1.2.2 §6.1.3). Make one with [FactoryFile] or [FactoryData]. Printing it
// shows no key. The zero value provisions nothing.
type Factory struct {
	name string
	read func() ([]byte, error)
}

// maxFactory bounds a factory file.
const maxFactory = 16 << 20

// FactoryFile returns the contents of a file. New reads it when it needs it.
func FactoryFile(name string) Factory {
	return Factory{name: name, read: func() ([]byte, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err // names the file
		}
		defer func() { _ = f.Close() }() // it was only read
		data, err := io.ReadAll(io.LimitReader(f, maxFactory+1))
		if err == nil && len(data) > maxFactory {
			err = fmt.Errorf("%s has more than %d MiB", name, maxFactory>>20)
		}
		return data, err
	}}
}

// FactoryData returns data that the program has, such as an embedded file. The name appears in
// errors.
func FactoryData(name string, data []byte) Factory {
	return Factory{name: name, read: func() ([]byte, error) { return data, nil }}
}

// String returns the name, without the contents.
func (f Factory) String() string { return "factory " + f.name }

// Format writes String for every verb.
func (f Factory) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }

// provision brings the device its accounts before it starts (Core 1.2.2 §6.1.4): from the smartcard
// if that has any, otherwise from Config.Factory if the device has none.
func (c *Client) provision() error {
	switch used, err := c.readSmartcard(); {
	case err != nil: // the next step follows, as without a card
		c.log.Error("the smartcard cannot be used", "endpoint", c.cfg.Endpoint, "reason", err.Error())
	case used:
		return nil
	}
	if c.cfg.Factory.read == nil || c.hasAccounts() {
		return nil
	}
	if err := c.applyFactory(c.cfg.Factory); err != nil {
		return fmt.Errorf("Config.Factory: %w", err)
	}
	return nil
}

// readSmartcard applies what the smartcard has, and reports whether it has anything.
func (c *Client) readSmartcard() (used bool, err error) {
	if c.cfg.Smartcard == nil {
		return false, nil
	}
	f, err := c.cfg.Smartcard()
	if err != nil || f.read == nil {
		return false, err
	}
	return true, c.applyFactory(f)
}

// hasAccounts reports whether the device has the account of any server.
func (c *Client) hasAccounts() bool {
	for range c.model.Snapshot().Instances(securityID) {
		return true
	}
	return false
}

// applyFactory writes the contents of f in one transaction.
func (c *Client) applyFactory(f Factory) error {
	data, err := f.read()
	if err != nil {
		return err
	}
	if err := c.apply(data); err != nil {
		return fmt.Errorf("%s: %w; nothing of it is used", f.name, err)
	}
	c.log.Info("the device is provisioned", "endpoint", c.cfg.Endpoint, "from", f.name)
	return nil
}

func (c *Client) apply(data []byte) error {
	format, err := packFormat(data)
	if err != nil {
		return err
	}
	t, err := c.model.Begin(context.Background(), dm.Bootstrap)
	if err != nil {
		return err
	}
	defer t.Rollback()
	entries, err := provision.DecodePack(format, data, t.Snapshot())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if t.Snapshot().Definition(e.Path.Object()) == nil {
			return fmt.Errorf("%v: the device has no object %d: add it to Config.Objects, or remove it there", e.Path, e.Path.Object())
		}
	}
	if err := provision.ApplyEntries(t, entries); err != nil {
		return err
	}
	if err := c.checkAccounts(t.Snapshot()); err != nil {
		return err
	}
	return t.Commit()
}

// checkAccounts refuses contents with which the device could never reach a server.
func (c *Client) checkAccounts(s dm.Snapshot) error {
	servers, err := provision.CheckAccounts(s, c.checkAccount)
	if err == nil && servers == 0 && !c.bootstrapAccountIn(s).present {
		err = errors.New("there is no account of a server: it needs an instance of Security (0), and one of Server (1) " +
			"unless that is the account of a bootstrap server")
	}
	return err
}

// packFormat returns the Content-Format of a Bootstrap-Pack: SenML is an array, and LwM2M CBOR a
// map.
func packFormat(data []byte) (content.Format, error) {
	for _, b := range data {
		switch {
		case b == ' ' || b == '\t' || b == '\r' || b == '\n':
			continue
		case b == '[':
			return content.SenMLJSON, nil
		case b>>5 == 4:
			return content.SenMLCBOR, nil
		case b>>5 == 5:
			return content.LwM2MCBOR, nil
		}
		return 0, errors.New("it is neither SenML JSON, SenML CBOR nor LwM2M CBOR: lwm2mprovision makes such files")
	}
	return 0, errors.New("it is empty")
}
