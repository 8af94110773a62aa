// Package openssl tests the toolkit's DTLS and TLS against OpenSSL's s_server and s_client. The
// tests skip themselves where there is no openssl program.
package openssl
