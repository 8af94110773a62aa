package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// hardware stands in for the board of a real thermometer.
type hardware struct {
	log func(format string, args ...any)

	mu        sync.Mutex
	low, high float64
}

// celsius reads the sensor. It is called whenever a server reads the value.
func (h *hardware) celsius(context.Context) (float64, error) {
	swing := math.Sin(float64(time.Now().UnixMilli()) / 5000)
	return math.Round((21+swing)*10) / 10, nil
}

// setLimits sets the limits of the alarm. The board refuses limits that would set it off at once.
func (h *hardware) setLimits(ctx context.Context, low, high float64) error {
	now, err := h.celsius(ctx)
	if err != nil {
		return err
	}
	if now < low || now > high {
		return fmt.Errorf("the board refuses limits of %g and %g at %g Cel", low, high, now)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.low, h.high = low, high
	h.log("hardware: alarm below %g and above %g", low, high)
	return nil
}

// buzz sounds the buzzer.
func (h *hardware) buzz(times string) error {
	if times == "" {
		times = "1"
	}
	h.log("hardware: buzz, %s time(s)", times)
	return nil
}
