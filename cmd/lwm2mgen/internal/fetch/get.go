package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

const (
	attempts   = 4
	firstPause = time.Second // doubled with every attempt
	timeout    = 30 * time.Second
)

var errNotFound = errors.New("404 Not Found")

// temporary marks an error after which another attempt may succeed.
type temporary struct{ error }

func (t temporary) Unwrap() error { return t.error }

// get returns the content of a URL. It retries after a failure of the network or the server.
func (f *Fetcher) get(ctx context.Context, url string, say func(string)) ([]byte, error) {
	pause := firstPause
	for n := 1; ; n++ {
		data, err := f.getOnce(ctx, url)
		var again temporary
		if !errors.As(err, &again) || n == attempts || ctx.Err() != nil {
			return data, err
		}
		say(fmt.Sprintf("attempt %d of %d failed: %v", n, attempts, err))
		if err := f.pause(ctx, pause); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

func (f *Fetcher) getOnce(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "lwm2mgen")
	resp, err := f.client().Do(req)
	if err != nil {
		return nil, temporary{err}
	}
	defer resp.Body.Close()
	switch s := resp.StatusCode; {
	case s == http.StatusNotFound:
		return nil, errNotFound
	case s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s >= 500:
		return nil, temporary{errors.New(resp.Status)}
	case s != http.StatusOK:
		return nil, errors.New(resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, omaxml.MaxSize+1))
	if err != nil {
		return nil, temporary{err}
	}
	if len(data) > omaxml.MaxSize {
		return nil, fmt.Errorf("the file is larger than %d bytes, the limit for a definition", omaxml.MaxSize)
	}
	return data, nil
}

func (f *Fetcher) client() *http.Client {
	if f.Client != nil {
		return f.Client
	}
	return &http.Client{Timeout: timeout}
}

func (f *Fetcher) pause(ctx context.Context, d time.Duration) error {
	if f.Pause != nil {
		return f.Pause(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func checkMirror(mirror string) error {
	u, err := url.Parse(mirror)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("the mirror %q is not a URL, write it as https://host/path", mirror)
	}
	return nil
}
