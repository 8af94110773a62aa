package coap

// Add returns the sums of the counters of s and o, such as those of one connection and the next.
func (s Stats) Add(o Stats) Stats {
	s.BytesSent += o.BytesSent
	s.BytesReceived += o.BytesReceived
	s.MessagesSent += o.MessagesSent
	s.MessagesReceived += o.MessagesReceived
	s.Retransmissions += o.Retransmissions
	s.Repeated += o.Repeated
	s.Malformed += o.Malformed
	s.Ignored += o.Ignored
	s.SendErrors += o.SendErrors
	s.MessageIDWaits += o.MessageIDWaits
	return s
}
