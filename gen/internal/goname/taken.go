package goname

import "go/token"

// initialisms are the short words that Go writes in capitals, as in ServerURI.
var initialisms = set(
	"ACK", "AES", "API", "APN", "ASCII", "CPU", "CRC", "DNS", "DTLS", "ECDSA", "EUI", "GPS", "GSM",
	"HTTP", "HTTPS", "ICCID", "ID", "IMEI", "IMSI", "IP", "JSON", "LED", "LTE", "MAC", "MCC", "MNC",
	"MQTT", "MSISDN", "MTU", "NTP", "OSCORE", "PIN", "PSK", "RAM", "RFID", "RGB", "ROM", "RPC", "RPK",
	"RSRP", "RSRQ", "RSSI", "RTC", "SHA", "SIM", "SINR", "SMS", "SNI", "SNR", "SSID", "TCP", "TLS",
	"UDP", "UI", "URI", "URL", "URN", "USB", "UTC", "UTF8", "UUID", "VM", "XML",
)

// Reserved reports whether Go refuses or ignores a package with the name.
func Reserved(pkg string) bool { return reserved[pkg] || token.IsKeyword(pkg) }

// Taken reports whether a package should not have the name: it is reserved, a predeclared
// identifier of the language, or the name of a package that programs with objects often import, so
// that one of the two imports would need another name.
func Taken(pkg string) bool { return taken[pkg] || Reserved(pkg) }

// reserved has what the go command treats in a way of its own, as packages or folders.
var reserved = set("documentation", "init", "internal", "main", "testdata", "vendor")

var taken = set(
	// Predeclared.
	"any", "append", "bool", "byte", "cap", "clear", "close", "comparable", "complex", "copy",
	"delete", "error", "false", "imag", "int", "iota", "len", "make", "max", "min", "new", "nil",
	"panic", "print", "println", "real", "recover", "rune", "string", "true", "uint", "uintptr",
	// The standard library.
	"ast", "atomic", "base64", "big", "binary", "bits", "bufio", "build", "bytes", "cgo", "cipher",
	"cmp", "color", "constant", "context", "cookiejar", "crypto", "csv", "debug", "doc", "draw",
	"driver", "elf", "embed", "encoding", "errors", "exec", "expvar", "filepath", "flag", "fmt",
	"format", "fs", "gif", "gob", "hash", "heap", "hex", "html", "http", "image", "importer", "io",
	"iter", "jpeg", "json", "list", "log", "maps", "math", "mime", "multipart", "net", "netip", "os",
	"parse", "parser", "path", "pem", "pkix", "plan9", "plugin", "png", "pprof", "printer", "rand",
	"reflect", "regexp", "ring", "rpc", "runtime", "scanner", "signal", "slices", "slog", "smtp",
	"sort", "sql", "strconv", "strings", "structs", "subtle", "suffixarray", "sync", "syntax",
	"synctest", "syscall", "syslog", "template", "testing", "textproto", "time", "tls", "token",
	"trace", "types", "tzdata", "unicode", "unique", "unsafe", "url", "user", "utf16", "utf8",
	"version", "weak", "x509", "xml", "zip", "zlib",
	// This module.
	"coap", "content", "dm", "dtls", "lwm2m", "registry", "sched", "socket", "udp",
)

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
