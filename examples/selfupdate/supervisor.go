package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// exitStaged is the exit code of a device that has staged a candidate. The program that ends with
// it is proven, so it means nothing else.
const exitStaged = 10

const (
	// stopTime is how long a device has to end in order, trialStopTime a program whose probation is
	// over.
	stopTime, trialStopTime = 10 * time.Second, time.Second
	// minPause is the pause before a device that has ended starts again. It is doubled each time.
	minPause, maxPause = time.Second, time.Minute
)

// supervisor starts the device, and decides whether a candidate replaces its program.
type supervisor struct {
	program program
	config  *config
	// onProbation is true in a new program that runs as a supervisor to show that it can. Another
	// supervisor has started it, and decides.
	onProbation bool
}

// run runs the device until ctx ends. It returns nil if the process is to end.
func (s *supervisor) run(ctx context.Context) error {
	if err := s.program.discard(); err != nil { // an interrupted probation has failed
		return err
	}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		begin := time.Now()
		code, err := s.start(ctx, stopTime, s.program.path, deviceVariable+"=1")
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && code == exitStaged:
			if err := s.replace(ctx); err != nil || ctx.Err() != nil {
				return err
			}
			pause = minPause
			continue
		case time.Since(begin) > maxPause:
			pause = minPause
		}
		fmt.Printf("supervisor: the device has ended with code %d, it starts again in %v\n", code, pause)
		if err != nil {
			fmt.Println("supervisor:", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// replace puts the candidate on probation. If it works, replace replaces the program and this
// process by it, and returns only after an error. Otherwise it discards the candidate.
func (s *supervisor) replace(ctx context.Context) error {
	fmt.Println("supervisor: the new program is on probation")
	err := s.try(ctx)
	if err == nil {
		err = s.program.promote()
	}
	if err == nil {
		fmt.Println("supervisor: the new program works and replaces the old one")
		return become(s.program.path)
	}
	fmt.Printf("supervisor: the old program stays: %v\n", err)
	return s.program.discard()
}

// try runs the candidate. It returns nil if the candidate has confirmed in time that it works, and
// has ended in order.
func (s *supervisor) try(ctx context.Context) error {
	confirmation := s.config.confirmation()
	if err := os.RemoveAll(confirmation); err != nil {
		return err
	}
	defer os.RemoveAll(confirmation)
	ctx, cancel := context.WithTimeout(ctx, s.config.healthTimeout)
	defer cancel()
	token := rand.Text() // which no program knows by chance
	code, err := s.start(ctx, trialStopTime, s.program.candidate(), trialVariable+"="+token)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the new program has not registered within %v", s.config.healthTimeout)
	case ctx.Err() != nil:
		return errors.New("the probation was interrupted")
	case err != nil:
		return fmt.Errorf("the new program cannot run: %w", err)
	}
	text, err := os.ReadFile(confirmation)
	if err != nil || string(text) != token || code != 0 {
		return fmt.Errorf("the new program has ended with code %d before it has registered", code)
	}
	return nil
}

// start runs a program with the arguments of this process, and returns its exit code, -1 after a
// signal. When ctx ends, it ends the program: in order if that is possible within the time to stop.
func (s *supervisor) start(ctx context.Context, stop time.Duration, path, variable string) (int, error) {
	cmd := exec.Command(path, os.Args[1:]...)
	cmd.Env = append(os.Environ(), variable)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	in, err := cmd.StdinPipe() // the program ends when it is closed
	if err != nil {
		return -1, err
	}
	if !s.onProbation {
		isolate(cmd)
		defer killGroup(cmd) // what the program has left behind
	}
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		_ = in.Close()
		select {
		case err = <-ended:
		case <-time.After(stop):
			_ = cmd.Process.Kill()
			err = <-ended
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return cmd.ProcessState.ExitCode(), err
}
