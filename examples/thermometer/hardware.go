package main

import (
	"context"
	"errors"
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

// celsius is the sensor. It is read whenever a server asks.
func (h *hardware) celsius(context.Context) (float64, error) {
	swing := math.Sin(float64(time.Now().UnixMilli()) / 5000)
	return math.Round((21+swing)*10) / 10, nil
}

// setLimits moves the limits of the alarm. The board refuses what would make it sound at once.
func (h *hardware) setLimits(ctx context.Context, low, high float64) error {
	now, err := h.celsius(ctx)
	if err != nil {
		return err
	}
	if now < low || now > high {
		return errors.New("the board refuses limits that it is outside of now")
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
	h.log("hardware: %s", fmt.Sprintf("buzz, %s time(s)", times))
	return nil
}
