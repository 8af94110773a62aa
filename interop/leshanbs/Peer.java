// A bootstrap server and a management server made of Eclipse Leshan's libraries. It reads commands
// from standard input and prints events to standard output, each a JSON object in one line. The first
// line is the event "started" with the URIs of both servers. The end of the input ends the servers.
// The argument is a folder with server.key (PKCS #8), server.crt and device.crt, all in DER.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.eclipse.leshan.core.CertificateUsage;
import org.eclipse.leshan.core.SecurityMode;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.peer.LwM2mPeer;
import org.eclipse.leshan.core.request.*;
import org.eclipse.leshan.core.response.*;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.bootstrap.*;
import org.eclipse.leshan.server.californium.bootstrap.endpoint.CaliforniumBootstrapServerEndpointsProvider;
import org.eclipse.leshan.server.californium.bootstrap.endpoint.coap.CoapBootstrapServerProtocolProvider;
import org.eclipse.leshan.server.californium.bootstrap.endpoint.coaps.CoapsBootstrapServerProtocolProvider;
import org.eclipse.leshan.server.californium.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.server.californium.endpoint.coap.CoapServerProtocolProvider;
import org.eclipse.leshan.server.californium.endpoint.coaps.CoapsServerProtocolProvider;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.security.BootstrapSecurityStoreAdapter;
import org.eclipse.leshan.server.security.InMemorySecurityStore;
import org.eclipse.leshan.server.security.SecurityInfo;

public class Peer {
    static final ObjectMapper json = new ObjectMapper();
    static final InMemoryBootstrapConfigStore configs = new InMemoryBootstrapConfigStore();
    static final InMemorySecurityStore bootstrapKeys = new InMemorySecurityStore();
    static final InMemorySecurityStore serverKeys = new InMemorySecurityStore();
    static final Set<String> readers = ConcurrentHashMap.newKeySet(); // devices that are read first
    static LeshanServer server;

    public static void main(String[] args) throws Exception {
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(file(args[0], "server.key")));
        X509Certificate[] chain = { certificate(args[0], "server.crt") };
        X509Certificate[] trusted = { certificate(args[0], "device.crt") };

        LeshanBootstrapServerBuilder boot = new LeshanBootstrapServerBuilder();
        boot.setEndpointsProviders(new CaliforniumBootstrapServerEndpointsProvider.Builder(
                new CoapBootstrapServerProtocolProvider(), new CoapsBootstrapServerProtocolProvider())
                .addEndpoint(local(), Protocol.COAP).addEndpoint(local(), Protocol.COAPS).build());
        boot.setConfigStore(configs);
        boot.setSecurityStore(new BootstrapSecurityStoreAdapter(bootstrapKeys));
        boot.setPrivateKey(key).setCertificateChain(chain).setTrustedCertificates(trusted);
        BootstrapTaskProvider tasks = new BootstrapConfigStoreTaskProvider(configs);
        Set<String> read = ConcurrentHashMap.newKeySet(); // sessions that have read
        boot.setTaskProvider((session, previous) -> {
            if (previous == null && readers.contains(session.getEndpoint())) {
                read.add(session.getId());
                BootstrapTaskProvider.Tasks t = new BootstrapTaskProvider.Tasks();
                t.requestsToSend = new ArrayList<>(List.of(new BootstrapReadRequest(1)));
                t.last = false;
                t.supportedObjects = java.util.Map.of(0, "1.1", 1, "1.1", 2, "1.0", 21, "1.0");
                return t;
            }
            return tasks.getTasks(session, read.remove(session.getId()) ? null : previous);
        });
        LeshanBootstrapServer bootstrap = boot.build();
        bootstrap.addListener(new Sessions());
        bootstrap.start();

        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setEndpointsProviders(new CaliforniumServerEndpointsProvider.Builder(
                new CoapServerProtocolProvider(), new CoapsServerProtocolProvider())
                .addEndpoint(local(), Protocol.COAP).addEndpoint(local(), Protocol.COAPS).build());
        builder.setSecurityStore(serverKeys);
        builder.setPrivateKey(key).setCertificateChain(chain).setTrustedCertificates(trusted);
        builder.disableQueueModeSupport();
        server = builder.build();
        server.getRegistrationService().addListener(new Registrations());
        server.start();
        print(json.createObjectNode().put("event", "started")
                .put("bootstrapCoap", bootstrap.getEndpoint(Protocol.COAP).getURI().toString())
                .put("bootstrapCoaps", bootstrap.getEndpoint(Protocol.COAPS).getURI().toString())
                .put("coap", server.getEndpoint(Protocol.COAP).getURI().toString())
                .put("coaps", server.getEndpoint(Protocol.COAPS).getURI().toString()));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                perform(json.readTree(line));
                print(json.createObjectNode().put("event", "done"));
            } catch (Exception e) {
                print(json.createObjectNode().put("event", "error").put("text", e.toString()));
            }
        }
        bootstrap.destroy();
        server.destroy();
    }

    static InetSocketAddress local() { return new InetSocketAddress("127.0.0.1", 0); }

    static byte[] file(String dir, String name) throws Exception { return Files.readAllBytes(Path.of(dir, name)); }

    static X509Certificate certificate(String dir, String name) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(file(dir, name)));
    }

    static synchronized void print(ObjectNode o) {
        System.out.println(o);
        System.out.flush();
    }

    static void perform(JsonNode c) throws Exception {
        String endpoint = c.get("endpoint").asText();
        switch (c.get("op").asText()) {
        case "key": // of the handshake with one of the servers
            SecurityInfo info = c.hasNonNull("psk")
                    ? SecurityInfo.newPreSharedKeyInfo(endpoint, c.get("identity").asText(), bytes(c, "psk"))
                    : SecurityInfo.newX509CertInfo(endpoint);
            (c.get("bootstrap").asBoolean() ? bootstrapKeys : serverKeys).add(info);
            break;
        case "config":
            if (c.get("read").asBoolean()) readers.add(endpoint);
            configs.remove(endpoint);
            configs.add(endpoint, config(c));
            break;
        case "trigger": // the management server makes the device request a bootstrap
            Registration reg = server.getRegistrationService().getByEndpoint(endpoint);
            ExecuteResponse r = server.send(reg, new ExecuteRequest(c.get("path").asText()), 5000);
            if (r == null || !r.isSuccess()) throw new IllegalStateException("the device answers " + r);
            break;
        default:
            throw new IllegalArgumentException("unknown op " + c.get("op"));
        }
    }

    static byte[] bytes(JsonNode c, String name) {
        return c.hasNonNull(name) ? Base64.getDecoder().decode(c.get(name).asText()) : new byte[0];
    }

    static BootstrapConfig config(JsonNode c) {
        BootstrapConfig config = new BootstrapConfig();
        config.autoIdForSecurityObject = c.get("auto").asBoolean();
        if (c.hasNonNull("format")) config.contentFormat = ContentFormat.fromName(c.get("format").asText());
        config.toDelete = new ArrayList<>();
        c.get("delete").forEach(p -> config.toDelete.add(p.asText()));
        if (!c.hasNonNull("uri")) return config; // without an account: the device refuses Finish
        BootstrapConfig.ServerConfig s = new BootstrapConfig.ServerConfig();
        s.shortId = 123;
        s.lifetime = 300;
        s.binding = EnumSet.of(BindingMode.U);
        config.servers.put(0, s);
        BootstrapConfig.ServerSecurity account = new BootstrapConfig.ServerSecurity();
        account.uri = c.get("uri").asText();
        account.securityMode = SecurityMode.valueOf(c.get("mode").asText());
        account.serverId = 123;
        account.publicKeyOrId = bytes(c, "public");
        account.secretKey = bytes(c, "secret");
        account.serverPublicKey = bytes(c, "server");
        if (account.securityMode == SecurityMode.X509) account.certificateUsage = CertificateUsage.DOMAIN_ISSUER_CERTIFICATE;
        config.security.put(1, account);
        return config;
    }

    static ObjectNode event(String kind, BootstrapSession s) {
        return json.createObjectNode().put("event", kind).put("endpoint", s.getEndpoint());
    }

    static class Sessions implements BootstrapSessionListener {
        public void sessionInitiated(BootstrapRequest r, LwM2mPeer peer) {
            print(json.createObjectNode().put("event", "requested").put("endpoint", r.getEndpointName())
                    .put("text", String.valueOf(r.getPreferredContentFormat())));
        }
        public void unAuthorized(BootstrapRequest r, LwM2mPeer peer) {
            print(json.createObjectNode().put("event", "unauthorized").put("endpoint", r.getEndpointName()));
        }
        public void authorized(BootstrapSession s) {}
        public void noConfig(BootstrapSession s) { print(event("noconfig", s)); }
        public void sendRequest(BootstrapSession s, BootstrapDownlinkRequest<? extends LwM2mResponse> r) {}
        public void onResponseSuccess(BootstrapSession s, BootstrapDownlinkRequest<? extends LwM2mResponse> r, LwM2mResponse a) { step(s, r, a); }
        public void onResponseError(BootstrapSession s, BootstrapDownlinkRequest<? extends LwM2mResponse> r, LwM2mResponse a) { step(s, r, a); }
        public void onRequestFailure(BootstrapSession s, BootstrapDownlinkRequest<? extends LwM2mResponse> r, Throwable e) {
            print(event("failure", s).put("text", r.getClass().getSimpleName() + " " + r.getPath() + ": " + e));
        }
        public void end(BootstrapSession s) { print(event("bootstrapped", s)); }
        public void failed(BootstrapSession s, BootstrapFailureCause cause) { print(event("failed", s).put("text", cause.toString())); }

        void step(BootstrapSession s, BootstrapDownlinkRequest<? extends LwM2mResponse> r, LwM2mResponse a) {
            ObjectNode o = event("step", s).put("text", r.getClass().getSimpleName() + " " + r.getPath() + " " + a.getCode().getCode());
            if (a.getErrorMessage() != null) o.put("message", a.getErrorMessage());
            if (a instanceof BootstrapDiscoverResponse) o.put("message", Arrays.toString(((BootstrapDiscoverResponse) a).getObjectLinks()));
            if (a instanceof BootstrapReadResponse) o.put("message", String.valueOf(((BootstrapReadResponse) a).getContent()));
            print(o);
        }
    }

    static class Registrations implements RegistrationListener {
        public void registered(Registration r, Registration old, Collection<Observation> gone) {
            print(json.createObjectNode().put("event", "registered").put("endpoint", r.getEndpoint()).put("text", r.getLifeTimeInSec() + " s"));
        }
        public void updated(RegistrationUpdate u, Registration r, Registration old) {}
        public void unregistered(Registration r, Collection<Observation> gone, boolean expired, Registration next) {
            print(json.createObjectNode().put("event", "deregistered").put("endpoint", r.getEndpoint()));
        }
    }
}
