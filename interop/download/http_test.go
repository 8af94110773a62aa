package download

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// folder returns a folder that holds the image as fw.bin.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fw.bin"), image(size), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNginx downloads from a server with ranges and strong ETags.
func TestNginx(t *testing.T) {
	t.Parallel()
	nginx := program(t, "nginx", "/usr/sbin/nginx")
	dir, addr := folder(t), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	conf := strings.NewReplacer("DIR", dir, "ADDR", addr).Replace(`
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDR;
		root DIR;
		location /gzip/ {
			alias DIR/;
			gzip on;
			gzip_types *;
			gzip_min_length 1;
		}
	}
}`)
	if os.Getuid() == 0 {
		conf = "user root;" + conf // the folder of a test belongs to root then
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, addr, exec.CommandContext(t.Context(), nginx, "-e", "stderr", "-p", dir, "-c", file))
	for _, path := range []string{"/fw.bin", "/gzip/fw.bin"} {
		d := &device{t: t, uri: "http://" + addr + path}
		d.restart(true)
		d.end()
	}
}

// TestLighttpd downloads from a server with ranges, and with a strong ETag for files whose type it
// knows.
func TestLighttpd(t *testing.T) {
	t.Parallel()
	lighttpd := program(t, "lighttpd", "/usr/sbin/lighttpd")
	dir, port := folder(t), freePort(t)
	if err := os.WriteFile(filepath.Join(dir, "fw.unknown"), image(size), 0o644); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`
server.document-root = %q
server.bind = "127.0.0.1"
server.port = %d
mimetype.assign = (".bin" => "application/octet-stream")
`, dir, port)
	file := filepath.Join(dir, "lighttpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	serve(t, addr, exec.CommandContext(t.Context(), lighttpd, "-D", "-f", file))
	d := &device{t: t, uri: "http://" + addr + "/fw.bin"}
	d.restart(true)
	d.end()
	d = &device{t: t, uri: "http://" + addr + "/fw.unknown"}
	d.restart(false)
}

// TestNetHTTP downloads from net/http's file server, with a strong ETag, a weak one and none.
func TestNetHTTP(t *testing.T) {
	t.Parallel()
	files := http.FileServer(http.Dir(folder(t)))
	for tag, continues := range map[string]bool{`"v1"`: true, `W/"v1"`: false, "": false} {
		t.Run("ETag "+tag, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tag != "" {
					w.Header().Set("ETag", tag)
				}
				files.ServeHTTP(w, r)
			}))
			defer srv.Close()
			d := &device{t: t, uri: srv.URL + "/fw.bin"}
			d.restart(continues)
			if continues {
				d.end()
			}
		})
	}
}

// TestPython downloads from Python's http.server, which knows neither ranges nor ETags: after a
// restart the download starts again.
func TestPython(t *testing.T) {
	t.Parallel()
	python := program(t, "python3")
	port := freePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	serve(t, addr, exec.CommandContext(t.Context(), python, "-m", "http.server", "-b", "127.0.0.1", "-d", folder(t), fmt.Sprint(port)))
	d := &device{t: t, uri: "http://" + addr + "/fw.bin"}
	d.restart(false)
}
