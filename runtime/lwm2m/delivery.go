package lwm2m

import (
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
)

// Delivery is the outcome of a notification, for Config.OnDelivery.
type Delivery struct {
	// Server is the server that observes.
	Server ShortServerID
	// Paths are the nodes that it observes: one, or those of an Observe-Composite.
	Paths []dm.Path
	// Outcome is what became of the notification.
	Outcome DeliveryOutcome
	// Stored is how many stored notifications (/1/x/6) the message contained. It is 0 for a
	// notification that was sent at once.
	Stored int
	// Err is the reason. It is nil if the notification was sent or acknowledged.
	Err error
}

// DeliveryOutcome is what became of a notification.
type DeliveryOutcome uint8

// The outcomes of notifications.
const (
	// NotificationSent: it was sent and asked for no acknowledgement (the attribute con is 0).
	NotificationSent DeliveryOutcome = iota
	// NotificationAcknowledged: the server has acknowledged it.
	NotificationAcknowledged
	// NotificationSuperseded: a newer one took its place before it was sent or acknowledged.
	NotificationSuperseded
	// NotificationRejected: the server has answered it with a Reset, which ends the observation.
	NotificationRejected
	// NotificationGivenUp: the server has not acknowledged it, the connection has ended, or it was
	// dropped from the store.
	NotificationGivenUp
)

var deliveryOutcomes = [...]string{
	NotificationSent: "sent", NotificationAcknowledged: "acknowledged", NotificationSuperseded: "superseded",
	NotificationRejected: "rejected", NotificationGivenUp: "given up",
}

// String returns the outcome in words.
func (o DeliveryOutcome) String() string {
	if int(o) < len(deliveryOutcomes) {
		return deliveryOutcomes[o]
	}
	return "unknown"
}

// deliveredHandler returns the function that calls Config.OnDelivery, or nil if that is nil.
func (c *Client) deliveredHandler() func(manage.Delivery) {
	fn := c.cfg.OnDelivery
	if fn == nil {
		return nil
	}
	return func(d manage.Delivery) {
		c.guard("Config.OnDelivery", func() {
			fn(Delivery{Server: d.Server, Paths: d.Paths, Outcome: DeliveryOutcome(d.Outcome), Stored: d.Stored, Err: d.Err})
		})
	}
}
