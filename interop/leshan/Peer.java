// A management server made of Eclipse Leshan's libraries. It reads commands from standard input and
// prints events and answers to standard output, each a JSON object in one line. The first line is the
// event "started" with the server's URI. An event has the member "event". An answer has the member "id"
// of its command. The property "port" is the UDP port of the server, 0 for a free one.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.link.lwm2m.attributes.DefaultLwM2mAttributeParser;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.node.LwM2mChildNode;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObject;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.TimestampedLwM2mNode;
import org.eclipse.leshan.core.node.TimestampedLwM2mNodes;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.*;
import org.eclipse.leshan.core.response.*;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.model.VersionedModelProvider;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.send.SendListener;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coap.CoapServerProtocolProvider;

public class Peer {
    static final ObjectMapper json = new ObjectMapper();
    static LeshanServer server;
    static List<ObjectModel> models;
    static final Map<String, Observation> observations = new LinkedHashMap<>();

    public static void main(String[] args) throws Exception {
        models = new ArrayList<>(ObjectLoader.loadAllDefault());
        for (String dir : args) models.addAll(ObjectLoader.loadObjectsFromDir(new File(dir)));
        CaliforniumServerEndpointsProvider endpoints = new CaliforniumServerEndpointsProvider.Builder(new CoapServerProtocolProvider())
                .addEndpoint(new InetSocketAddress("127.0.0.1", Integer.getInteger("port", 0)), Protocol.COAP).build();
        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setObjectModelProvider(new VersionedModelProvider(models));
        builder.setEndpointsProviders(endpoints);
        builder.disableQueueModeSupport();
        server = builder.build();
        server.getRegistrationService().addListener(new Registrations());
        server.getObservationService().addListener(new Notifications());
        server.getSendService().addListener(new Sends());
        server.start();
        print(json.createObjectNode().put("event", "started").put("uri", server.getEndpoint(Protocol.COAP).getURI().toString()));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = json.readTree(line);
            ObjectNode answer = json.createObjectNode().put("id", command.get("id").asInt());
            try {
                perform(command, answer);
            } catch (Exception e) {
                answer.put("error", e.toString());
            }
            print(answer);
        }
        server.destroy();
    }

    static synchronized void print(ObjectNode o) {
        System.out.println(o);
        System.out.flush();
    }

    static String text(JsonNode c, String name) {
        return c.hasNonNull(name) ? c.get(name).asText() : null;
    }

    static void perform(JsonNode c, ObjectNode answer) throws Exception {
        Registration reg = server.getRegistrationService().getByEndpoint(text(c, "endpoint"));
        if (reg == null) throw new IllegalStateException("not registered: " + text(c, "endpoint"));
        String path = text(c, "path");
        ContentFormat f = c.hasNonNull("format") ? ContentFormat.fromName(text(c, "format")) : null;
        LwM2mResponse r;
        switch (text(c, "op")) {
        case "read": r = server.send(reg, new ReadRequest(f, path), 5000); break;
        case "discover": r = server.send(reg, new DiscoverRequest(path), 5000); break;
        case "write": r = server.send(reg, new WriteRequest(WriteRequest.Mode.REPLACE, f, path, node(path, c.get("value"))), 5000); break;
        case "update": r = server.send(reg, new WriteRequest(WriteRequest.Mode.UPDATE, f, path, node(path, c.get("value"))), 5000); break;
        case "execute": r = server.send(reg, new ExecuteRequest(path, text(c, "args")), 5000); break;
        case "delete": r = server.send(reg, new DeleteRequest(path), 5000); break;
        case "create": r = server.send(reg, create(f, path, c.get("value")), 5000); break;
        case "attributes":
            r = server.send(reg, new WriteAttributesRequest(path, new LwM2mAttributeSet(new DefaultLwM2mAttributeParser().parseUriQuery(text(c, "query")))), 5000);
            break;
        case "observe": r = server.send(reg, new ObserveRequest(f, path), 5000); break;
        case "observecomposite": r = server.send(reg, new ObserveCompositeRequest(f, f, paths(c)), 5000); break;
        case "cancel": r = server.send(reg, new CancelObservationRequest((SingleObservation) observations.get(path)), 5000); break;
        case "forget": server.getObservationService().cancelObservation(observations.get(path)); answer.put("code", "forgotten"); return;
        case "readcomposite": r = server.send(reg, new ReadCompositeRequest(f, f, paths(c)), 5000); break;
        case "writecomposite": r = server.send(reg, new WriteCompositeRequest(f, values(c.get("value")), null), 5000); break;
        default: throw new IllegalArgumentException("unknown op " + text(c, "op"));
        }
        if (r == null) {
            answer.put("error", "no answer in time");
            return;
        }
        put(answer, r);
    }

    static void put(ObjectNode o, LwM2mResponse r) {
        o.put("code", r.getCode().getCode());
        if (r.getErrorMessage() != null) o.put("message", r.getErrorMessage());
        ObjectNode values = json.createObjectNode();
        if (r instanceof ReadResponse && ((ReadResponse) r).getContent() != null) {
            // The response does not repeat the path that was read: values are named relative to it.
            flatten("", ((ReadResponse) r).getContent(), values);
        }
        if (r instanceof ReadCompositeResponse && ((ReadCompositeResponse) r).getContent() != null)
            ((ReadCompositeResponse) r).getContent().forEach((p, n) -> { if (n != null) flatten(p.toString(), n, values); });
        if (r instanceof ObserveResponse && ((ObserveResponse) r).getTimestampedLwM2mNodes() != null)
            for (TimestampedLwM2mNode n : ((ObserveResponse) r).getTimestampedLwM2mNodes()) flatten(at(n.getTimestamp()), n.getNode(), values);
        if (r instanceof DiscoverResponse && ((DiscoverResponse) r).getObjectLinks() != null) {
            List<String> links = new ArrayList<>();
            for (Object l : ((DiscoverResponse) r).getObjectLinks()) links.add(l.toString());
            o.put("links", String.join(",", links));
        }
        if (r instanceof CreateResponse && ((CreateResponse) r).getLocation() != null) o.put("location", ((CreateResponse) r).getLocation());
        o.set("values", values);
    }

    // flatten collects the values below a node by relative paths, such as "/0/5700" below an object.
    static void flatten(String prefix, LwM2mNode n, ObjectNode values) {
        if (n instanceof LwM2mObject) ((LwM2mObject) n).getInstances().forEach((id, i) -> flatten(prefix + "/" + id, i, values));
        else if (n instanceof LwM2mObjectInstance) ((LwM2mObjectInstance) n).getResources().forEach((id, x) -> flatten(prefix + "/" + id, x, values));
        else if (n instanceof LwM2mMultipleResource) ((LwM2mMultipleResource) n).getInstances().forEach((id, x) -> flatten(prefix + "/" + id, x, values));
        else if (n instanceof LwM2mSingleResource) values.put(prefix, show(((LwM2mSingleResource) n).getValue()));
        else if (n instanceof LwM2mResourceInstance) values.put(prefix, show(((LwM2mResourceInstance) n).getValue()));
    }

    // at returns what precedes the path of a value that has a time: the time in milliseconds since 1970.
    static String at(Instant t) {
        return t == null ? "" : t.toEpochMilli() + " ";
    }

    static String show(Object v) {
        if (v instanceof byte[]) return Base64.getEncoder().encodeToString((byte[]) v);
        if (v instanceof Date) return Long.toString(((Date) v).getTime() / 1000);
        return v.toString();
    }

    static String[] paths(JsonNode c) {
        List<String> list = new ArrayList<>();
        c.get("paths").forEach(p -> list.add(p.asText()));
        return list.toArray(new String[0]);
    }

    static Map<LwM2mPath, LwM2mNode> values(JsonNode v) {
        Map<LwM2mPath, LwM2mNode> nodes = new LinkedHashMap<>();
        v.fields().forEachRemaining(e -> nodes.put(new LwM2mPath(e.getKey()), node(e.getKey(), e.getValue())));
        return nodes;
    }

    static CreateRequest create(ContentFormat f, String path, JsonNode value) {
        if (!value.has("id")) return new CreateRequest(f, path, resources(new LwM2mPath(path).getObjectId(), value));
        return new CreateRequest(f, path, new LwM2mObjectInstance(value.get("id").asInt(), resources(new LwM2mPath(path).getObjectId(), value.get("resources"))));
    }

    // node returns the node to write to a path: a value, resource instances by ID, or resources by ID.
    static LwM2mNode node(String p, JsonNode v) {
        LwM2mPath path = new LwM2mPath(p);
        if (path.isObjectInstance()) return new LwM2mObjectInstance(path.getObjectInstanceId(), resources(path.getObjectId(), v));
        if (path.isResourceInstance()) {
            ResourceModel.Type t = type(path.getObjectId(), path.getResourceId());
            return LwM2mResourceInstance.newInstance(path.getResourceInstanceId(), value(t, v), t);
        }
        return resource(path.getObjectId(), path.getResourceId(), v);
    }

    static Collection<LwM2mResource> resources(int object, JsonNode v) {
        List<LwM2mResource> list = new ArrayList<>();
        v.fields().forEachRemaining(e -> list.add(resource(object, Integer.parseInt(e.getKey()), e.getValue())));
        return list;
    }

    static LwM2mResource resource(int object, int id, JsonNode v) {
        ResourceModel.Type t = type(object, id);
        if (!v.isObject()) return LwM2mSingleResource.newResource(id, value(t, v), t);
        Map<Integer, Object> values = new LinkedHashMap<>();
        v.fields().forEachRemaining(e -> values.put(Integer.parseInt(e.getKey()), value(t, e.getValue())));
        return LwM2mMultipleResource.newResource(id, values, t);
    }

    static ResourceModel.Type type(int object, int id) {
        for (ObjectModel m : models) if (m.id == object && m.resources.containsKey(id)) return m.resources.get(id).type;
        throw new IllegalArgumentException("no model of " + object + "/" + id);
    }

    static Object value(ResourceModel.Type t, JsonNode v) {
        switch (t) {
        case INTEGER: return v.asLong();
        case FLOAT: return v.asDouble();
        case BOOLEAN: return v.asBoolean();
        case TIME: return new Date(v.asLong() * 1000);
        case OPAQUE: return Base64.getDecoder().decode(v.asText());
        default: return v.asText();
        }
    }

    static ObjectNode event(String kind, Registration r) {
        ObjectNode o = json.createObjectNode().put("event", kind).put("endpoint", r.getEndpoint());
        o.put("version", r.getLwM2mVersion().toString()).put("lifetime", r.getLifeTimeInSec());
        List<String> links = new ArrayList<>();
        for (Object l : r.getSortedObjectLinks()) links.add(l.toString());
        return o.put("links", String.join(",", links));
    }

    static class Registrations implements RegistrationListener {
        public void registered(Registration r, Registration old, Collection<Observation> gone) { print(event("registered", r)); }
        public void updated(RegistrationUpdate u, Registration r, Registration old) { print(event("updated", r)); }
        public void unregistered(Registration r, Collection<Observation> gone, boolean expired, Registration next) {
            if (next == null) print(event("deregistered", r));
        }
    }

    static class Sends implements SendListener {
        public void dataReceived(Registration r, TimestampedLwM2mNodes data, SendRequest request) {
            ObjectNode n = json.createObjectNode().put("event", "send").put("endpoint", r.getEndpoint());
            ObjectNode values = json.createObjectNode();
            for (Instant t : data.getTimestamps())
                data.getNodesAt(t).forEach((p, node) -> { if (node != null) flatten(at(t) + p, node, values); });
            n.set("values", values);
            print(n);
        }
        public void onError(Registration r, String message, Exception e) {
            print(json.createObjectNode().put("event", "send").put("message", message + ": " + e));
        }
    }

    static class Notifications implements ObservationListener {
        public void newObservation(Observation o, Registration r) {
            if (o instanceof SingleObservation) observations.put(((SingleObservation) o).getPath().toString(), o);
        }
        public void cancelled(Observation o) {}
        public void onResponse(SingleObservation o, Registration r, ObserveResponse response) {
            ObjectNode n = json.createObjectNode().put("event", "notification").put("endpoint", r.getEndpoint()).put("path", o.getPath().toString());
            put(n, response);
            print(n);
        }
        public void onResponse(CompositeObservation o, Registration r, ObserveCompositeResponse response) {
            ObjectNode n = json.createObjectNode().put("event", "notification").put("endpoint", r.getEndpoint());
            put(n, response);
            print(n);
        }
        public void onError(Observation o, Registration r, Exception e) {
            print(json.createObjectNode().put("event", "error").put("message", e.toString()));
        }
    }
}
