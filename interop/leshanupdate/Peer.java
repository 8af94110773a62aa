// A management server made of Eclipse Leshan's libraries, over DTLS with a pre-shared key and Connection
// IDs, which updates firmware. It reads commands from standard input and prints events and answers to
// standard output, each a JSON object in one line. The first line is the event "started" with the port.
// An event has the member "event", an answer the member "id" of its command. The arguments are folders of
// object definitions. The property "key" is the key of every device, in hexadecimal.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.util.StringUtil;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.ExecuteRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.californium.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.server.californium.endpoint.coaps.CoapsServerProtocolProvider;
import org.eclipse.leshan.server.model.VersionedModelProvider;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.security.InMemorySecurityStore;
import org.eclipse.leshan.server.security.SecurityInfo;

public class Peer {
    static final ObjectMapper json = new ObjectMapper();
    static final InMemorySecurityStore keys = new InMemorySecurityStore();
    static LeshanServer server;

    public static void main(String[] args) throws Exception {
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadAllDefault());
        for (String dir : args) models.addAll(ObjectLoader.loadObjectsFromDir(new File(dir)));
        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setObjectModelProvider(new VersionedModelProvider(models));
        builder.setEndpointsProviders(new CaliforniumServerEndpointsProvider.Builder(
                new CoapsServerProtocolProvider())
                .setConfiguration(c -> c.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, 6).set(CoapConfig.PREFERRED_BLOCK_SIZE, 1024))
                .addEndpoint(new InetSocketAddress("127.0.0.1", 0), Protocol.COAPS).build());
        builder.setSecurityStore(keys);
        builder.setUpdateRegistrationOnNotification(true); // requests go to the address that was heard of last
        server = builder.build();
        server.getRegistrationService().addListener(new Registrations());
        server.getObservationService().addListener(new Notifications());
        server.start();
        print(json.createObjectNode().put("event", "started").put("port", server.getEndpoint(Protocol.COAPS).getURI().getPort()));
        ExecutorService workers = Executors.newCachedThreadPool();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = json.readTree(line);
            workers.execute(() -> {
                ObjectNode answer = json.createObjectNode().put("id", command.get("id").asInt());
                try {
                    perform(command, answer);
                } catch (Exception e) {
                    answer.put("error", e.getClass().getSimpleName()).put("message", e.getMessage());
                }
                print(answer);
            });
        }
        workers.shutdown();
        server.destroy();
    }

    static synchronized void print(ObjectNode o) {
        System.out.println(o);
        System.out.flush();
    }

    static void perform(JsonNode c, ObjectNode answer) throws Exception {
        String endpoint = c.get("endpoint").asText();
        if (c.get("op").asText().equals("key")) {
            keys.add(SecurityInfo.newPreSharedKeyInfo(endpoint, endpoint, StringUtil.hex2ByteArray(System.getProperty("key"))));
            return;
        }
        Registration reg = server.getRegistrationService().getByEndpoint(endpoint);
        if (reg == null) throw new IllegalStateException("not registered: " + endpoint);
        String path = c.get("path").asText(), value = c.get("value").asText();
        LwM2mResponse r;
        switch (c.get("op").asText()) {
        case "read": r = server.send(reg, new ReadRequest(path), 5000); break;
        case "observe": r = server.send(reg, new ObserveRequest(path), 5000); break;
        case "execute": r = server.send(reg, new ExecuteRequest(path), 5000); break;
        case "package": r = server.send(reg, new WriteRequest(ContentFormat.OPAQUE, 5, 0, 0, Files.readAllBytes(Path.of(value))), 120000); break;
        case "uri": r = server.send(reg, new WriteRequest(5, 0, 1, value), 5000); break;
        default: throw new IllegalArgumentException("unknown op " + c.get("op"));
        }
        if (r == null) throw new IllegalStateException("no answer in time");
        answer.put("code", r.getCode().getCode()).put("message", r.getErrorMessage());
        if (r instanceof ReadResponse) answer.put("value", value(((ReadResponse) r).getContent()));
    }

    static String value(LwM2mNode n) { return n instanceof LwM2mSingleResource ? String.valueOf(((LwM2mSingleResource) n).getValue()) : ""; }

    static ObjectNode event(String kind, Registration r) {
        return json.createObjectNode().put("event", kind).put("endpoint", r.getEndpoint()).put("registration", r.getId())
                .put("address", r.getAddress().getHostAddress());
    }

    static class Registrations implements RegistrationListener {
        public void registered(Registration r, Registration old, Collection<Observation> gone) {
            print(event("registered", r).put("old", old == null ? "" : old.getId()));
        }
        public void updated(RegistrationUpdate u, Registration r, Registration old) { print(event("updated", r)); }
        public void unregistered(Registration r, Collection<Observation> gone, boolean expired, Registration next) {
            if (next == null) print(event(expired ? "expired" : "deregistered", r));
        }
    }

    static class Notifications implements ObservationListener {
        public void newObservation(Observation o, Registration r) {}
        public void cancelled(Observation o) {}
        public void onResponse(SingleObservation o, Registration r, ObserveResponse response) {
            print(event("notification", r).put("path", o.getPath().toString()).put("value", value(response.getContent())));
        }
        public void onResponse(CompositeObservation o, Registration r, ObserveCompositeResponse response) {}
        public void onError(Observation o, Registration r, Exception e) { print(event("error", r).put("message", e.toString())); }
    }
}
