package lwm2mtest

import "net/http/httptest"

// StartHTTP starts an HTTP server for the files of ServeFile on a free port of 127.0.0.1, and
// returns its URL, such as "http://127.0.0.1:8080". It ends with the test. By CoAP the files are at
// URI.
//
//	file := lwm2mtest.File{Content: bytes.NewReader(image), Size: int64(len(image))}
//	err := srv.ServeFile("/fw.bin", file)
//	uri := srv.StartHTTP() + "/fw.bin"
//	srv.DisturbFiles(3, lwm2mtest.FileFault{Break: true}, nil)
func (s *Server) StartHTTP() string {
	web := httptest.NewServer(s.FileHandler())
	s.t.Cleanup(web.Close)
	return web.URL
}
