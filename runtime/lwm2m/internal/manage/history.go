package manage

// Histories: the application keeps the values of a resource itself, at its own pace. An observation
// of such a resource stores nothing while its server cannot be reached, and reports the values of
// the history afterwards.

import (
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

// maxLoan bounds the samples that a message considers. It has room for fewer.
const maxLoan = 256

// history returns the history of the observed resource, nil if there is none.
func (o *observation) history() *series.Series {
	find := o.scope.device.cfg.History
	if find == nil || o.composite || !carriesTime(o.format) {
		return nil
	}
	return find(o.own.path)
}

// drainHistory sends the oldest values of the history. It returns false if there are none, or if
// another report has borrowed them.
func (o *observation) drainHistory(h *series.Series) bool {
	samples := h.Lend(maxLoan)
	if samples == nil {
		return false
	}
	moments := make([]moment, len(samples))
	for i, x := range samples {
		entries := []dm.Entry{{Path: o.own.path, Value: x.Value}}
		moments[i] = moment{at: x.At, groups: []group{{o.scope, entries}}, values: 1}
	}
	body, n, err := o.encodeStored(moments)
	if err != nil {
		o.logFailure(err)
		h.Return()
		return false
	}
	o.store.sending = n
	o.sendStored(body, func(err error) {
		if err == nil {
			h.Release(n)
		} else {
			h.Return()
		}
		o.drained(err)
	}, h.Return)
	return true
}

// sendStored sends a message with stored notifications, and calls done with its outcome. If it
// cannot be handed over, sendStored calls failed and tries again later.
func (o *observation) sendStored(body []byte, done func(error), failed func()) {
	n := coap.Notification{Response: coap.Response{Code: coap.Content, Body: body}, Confirmable: true, Done: done}
	n.Options.SetContentFormat(uint16(o.format))
	if err := o.rel.Notify(&n); err != nil {
		failed()
		if o.store != nil {
			o.store.sending = 0
			o.drainAfter(resendAfter)
		}
	}
}
