package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/script"
	"github.com/lwm2mgen/toolkit/internal/factoryfile"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// loadScripts reads the files of -bootstrap.
func (p *program) loadScripts() error {
	p.scripts = script.NewFiles(p.loadScript)
	for _, value := range p.bootstrap {
		endpoint, file, named := strings.Cut(value, "=")
		if !named {
			endpoint, file = script.Every, value
		}
		if err := p.scripts.Set(endpoint, file); err != nil {
			return err
		}
		p.server.FindScript(p.scripts.Find)
	}
	return nil
}

// loadScript returns what a file says for a device. Variables are ${endpoint}, the URIs of the
// server, such as ${coap} and ${coaps+tcp}, and ${keys}, the folder of its keys.
func (p *program) loadScript(file, endpoint string) ([]dm.Entry, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{"endpoint": endpoint}
	if p.keys != nil {
		vars["keys"] = p.keys.Dir()
	}
	for _, l := range p.listeners {
		uri := socket.ListenerURI(l)
		scheme, _, _ := strings.Cut(uri, "://")
		if _, twice := vars[scheme]; !twice {
			vars[scheme] = uri
		}
	}
	return factoryfile.Build(file, text, p.book, factoryfile.Inputs{
		Vars: vars, Getenv: os.LookupEnv,
		ReadFile: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(file), name)
			}
			return os.ReadFile(name)
		},
	})
}
