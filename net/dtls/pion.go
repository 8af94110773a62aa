package dtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// credential is a certificate chain with its key.
type credential = tls.Certificate

// pionEngine does handshakes with pion/dtls/v3.
type pionEngine struct{}

func (pionEngine) handshake(ctx context.Context, g *guard, p *parameters) (*established, error) {
	store := &pionSessions{p: p}
	conn, err := pionConn(g, p, store)
	if err != nil {
		return nil, fmt.Errorf("dtls: %w", err)
	}
	err = conn.HandshakeContext(ctx)
	_ = g.Close()    // pion sends nothing after this,
	_ = conn.Close() // and no longer reads after this
	g.drain()
	if err != nil {
		return nil, err
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return nil, errors.New("dtls: the handshake engine has no state")
	}
	return takeOver(g, p, &state, store)
}

// pionConn translates the parameters into options.
func pionConn(g *guard, p *parameters, store *pionSessions) (*pion.Conn, error) {
	opts := []pion.Option{
		pion.WithExtendedMasterSecret(pion.RequestExtendedMasterSecret),
		pion.WithLoggerFactory(pionLog{p.log}),
		pion.WithMTU(p.mtu),
	}
	if p.client || p.sessions != nil {
		opts = append(opts, pion.WithSessionStore(store))
	}
	if p.interval > 0 {
		opts = append(opts, pion.WithFlightInterval(p.interval))
	}
	ids := make([]pion.CipherSuiteID, len(p.suites))
	for i, s := range p.suites {
		ids[i] = pion.CipherSuiteID(s.id)
	}
	opts = append(opts, pion.WithCipherSuites(ids...))
	if p.keyLog != nil {
		opts = append(opts, pion.WithKeyLogWriter(p.keyLog))
	}
	if p.credential != nil {
		opts = append(opts, pion.WithCertificates(*p.credential))
	}
	if p.verify != nil {
		verify := func(raw [][]byte, _ [][]*x509.Certificate) error { return p.verify(raw) }
		opts = append(opts, pion.WithVerifyPeerCertificate(verify))
	}
	if p.client {
		return pionClient(g, p, opts)
	}
	return pionServer(g, p, opts)
}

func pionClient(g *guard, p *parameters, opts []pion.Option) (*pion.Conn, error) {
	if p.key.Len() > 0 {
		opts = append(opts, pion.WithPSK(func([]byte) ([]byte, error) { return p.key.Bytes(), nil }),
			pion.WithPSKIdentityHint(p.identity))
	}
	if p.offerCID {
		opts = append(opts, pion.WithConnectionIDGenerator(pion.OnlySendCIDGenerator()))
	}
	if p.serverName != "" {
		opts = append(opts, pion.WithServerName(p.serverName))
	}
	// p.verify checks the certificates, and is never nil with certificates.
	opts = append(opts, pion.WithInsecureSkipVerify(true))
	client := make([]pion.ClientOption, len(opts))
	for i, o := range opts {
		client[i] = o
	}
	return pion.ClientWithOptions(g, g.addr, client...)
}

func pionServer(g *guard, p *parameters, opts []pion.Option) (*pion.Conn, error) {
	server := make([]pion.ServerOption, 0, len(opts)+3)
	for _, o := range opts {
		server = append(server, o)
	}
	if p.lookup != nil {
		server = append(server, pion.WithPSK(func(identity []byte) ([]byte, error) {
			key, err := p.lookup(identity)
			return key.Bytes(), err
		}))
	}
	if p.offerCID {
		server = append(server, pion.WithConnectionIDGenerator(func() []byte { return p.cid }))
	}
	if p.verify != nil {
		server = append(server, pion.WithClientAuth(pion.RequireAnyClientCert))
	}
	return pion.ServerWithOptions(g, g.addr, server...)
}

// takeOver collects the state for the record layer.
func takeOver(g *guard, p *parameters, state *pion.State, store *pionSessions) (*established, error) {
	blob, err := state.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("dtls: the handshake engine's state: %w", err)
	}
	st, err := parsePionState(blob)
	if err != nil {
		return nil, err
	}
	used, ok := suiteByID(socket.CipherSuite(st.CipherSuiteID))
	if !ok || len(st.MasterSecret) == 0 {
		return nil, errState
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e := &established{
		secrets: secrets{suite: used, client: st.IsClient, master: st.MasterSecret, clientRandom: st.LocalRandom,
			serverRandom: st.RemoteRandom},
		sendCID: st.RemoteConnectionID, recvCID: st.LocalConnectionID,
		next:     max(st.SequenceNumber, g.nextSeq),
		session:  store.saved,
		resumed:  store.found && !g.seen.clientKey,
		peer:     state.PeerCertificates,
		identity: state.IdentityHint,
		held:     g.held,
		messages: g.seen.messages,
	}
	if !e.client {
		e.clientRandom, e.serverRandom = st.RemoteRandom, st.LocalRandom
	}
	if e.resumed && p.session != nil {
		e.session = p.session
	}
	if e.client == e.resumed { // this side sent the last flight of the handshake
		e.flight = g.flight
	}
	return e, nil
}

// pionSessions is pion's session store for one handshake.
type pionSessions struct {
	p     *parameters
	found bool // a session was offered, or found
	saved *session
}

func (s *pionSessions) Set(_ []byte, ps pion.Session) error {
	s.saved = &session{
		id: ps.ID, master: ps.Secret, suite: socket.CipherSuite(ps.CipherSuiteID),
		extendedMaster: ps.ExtendedMasterSecret,
		peer:           ps.PeerCertificates, hint: ps.IdentityHint, pskHash: ps.PSKHash,
	}
	if s.p.sessions != nil {
		s.p.sessions.put(s.saved)
	}
	return nil
}

func (s *pionSessions) Get(key []byte) (pion.Session, error) {
	found := s.p.session
	if !s.p.client && s.p.sessions != nil {
		found = s.p.sessions.get(key)
	}
	if found == nil {
		return pion.Session{}, nil
	}
	s.found = true
	return pion.Session{
		ID: found.id, Secret: found.master, Version: 1, IsClient: s.p.client,
		CipherSuiteID: pion.CipherSuiteID(found.suite), ExtendedMasterSecret: found.extendedMaster,
		PeerCertificates: found.peer, IdentityHint: found.hint, PSKHash: found.pskHash,
	}, nil
}

func (s *pionSessions) Del(key []byte) error {
	if !s.p.client && s.p.sessions != nil {
		s.p.sessions.drop(key)
	}
	return nil
}
