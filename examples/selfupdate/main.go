package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"aead.dev/minisign"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// version is the version of this program. The build sets it: -ldflags "-X main.version=1.2.3".
var version = "0"

func main() {
	code, err := command(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "selfupdate:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// command runs a command, and returns the exit code of the process.
func command(args []string) (int, error) {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "run":
		return run(args)
	case "keygen":
		return 0, keygen(args)
	case "sign":
		return 0, sign(args)
	case "version":
		fmt.Println(version)
		return 0, nil
	default:
		return 2, errors.New("the commands are run, keygen, sign and version; go doc ./examples/selfupdate explains them")
	}
}

// config is what the flags of run say.
type config struct {
	account        lwm2m.Server
	endpoint       string
	dir            string // of everything that the device keeps
	publicKey      minisign.PublicKey
	allowDowngrade bool
	healthTimeout  time.Duration
}

// parseConfig parses the flags of run.
func parseConfig(args []string) (*config, error) {
	c := &config{account: lwm2m.Server{Lifetime: 5 * time.Minute}}
	f := flag.NewFlagSet("selfupdate run", flag.ExitOnError)
	f.StringVar(&c.account.URI, "server", "", "URI of the server, such as coaps://host:5684; required")
	f.StringVar(&c.endpoint, "endpoint", "selfupdate-1", "endpoint name of the device")
	f.StringVar(&c.account.PSK.Identity, "psk-identity", "", "identity of the pre-shared key, for coaps")
	pskFile := f.String("psk-file", "", "file with the pre-shared key in hexadecimal, for coaps")
	f.StringVar(&c.dir, "dir", "", "directory for what the device keeps; required")
	publicKey := f.String("public-key", "", "file with the public key of images; required")
	f.BoolVar(&c.allowDowngrade, "allow-downgrade", false, "install images of older versions, too")
	f.DurationVar(&c.healthTimeout, "health-timeout", 5*time.Minute, "how long a new program has to register with the server")
	_ = f.Parse(args) // it ends the program at an error
	if c.account.URI == "" || c.dir == "" || *publicKey == "" || f.NArg() > 0 {
		return nil, errors.New("usage: selfupdate run -server URI -dir DIRECTORY -public-key FILE")
	}
	var err error
	if c.publicKey, err = minisign.PublicKeyFromFile(*publicKey); err != nil {
		return nil, fmt.Errorf("-public-key: %w", err)
	}
	if *pskFile != "" {
		text, err := os.ReadFile(*pskFile)
		if err != nil {
			return nil, fmt.Errorf("-psk-file: %w", err)
		}
		key, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, errors.New("-psk-file is not hexadecimal") // and is not shown
		}
		c.account.PSK.Key = socket.NewSecret(key)
	}
	return c, os.MkdirAll(c.dir, 0o700)
}

// security returns the credentials for downloads from the server, which are those of the account
// (Transport 1.2.2 §5.2).
func (c *config) security() socket.Security {
	if c.account.PSK.Identity == "" {
		return socket.Security{}
	}
	return socket.Security{Mode: socket.ModePSK, Identity: []byte(c.account.PSK.Identity), Key: c.account.PSK.Key}
}

// confirmation is the file in which a program on probation confirms that it works.
func (c *config) confirmation() string { return filepath.Join(c.dir, "confirmed") }

// These variables of the environment say what a process started by run is.
const (
	deviceVariable = "SELFUPDATE_DEVICE" // the device
	trialVariable  = "SELFUPDATE_TRIAL"  // on probation; the value is the text of the confirmation
)

// run runs the supervisor, or what a supervisor has started. All get the same arguments.
func run(args []string) (int, error) {
	c, err := parseConfig(args)
	if err != nil {
		return 2, err
	}
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return 1, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	device, trial := os.Getenv(deviceVariable) != "", os.Getenv(trialVariable)
	s := &supervisor{program: program{path, osFiles{}}, config: c, onProbation: trial != ""}
	if device || trial != "" {
		go func() { // the supervisor holds the other end, so the process ends with it
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	switch {
	case device && trial != "":
		return 0, c.prove(ctx, trial)
	case device:
		return c.live(ctx, s.program)
	case trial != "":
		return s.start(ctx, trialStopTime/2, path, deviceVariable+"=1")
	}
	return 0, s.run(ctx)
}
