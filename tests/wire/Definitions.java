// SPDX-License-Identifier: Apache-2.0
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/**
 * The message definitions inside the kafka-clients jar, with every range of
 * versions cut to those that can be on the wire.
 */
final class Definitions {
    static final class Range {
        final int from;
        final int to;

        Range(int from, int to) {
            this.from = from;
            this.to = to;
        }

        /** "3", "3-5", "3+" or "none" (null), inside the outer range. */
        static Range parse(String text, Range outer) {
            if (text == null || text.equals("none")) {
                return null;
            }
            int dash = text.indexOf('-');
            Range r;
            if (text.endsWith("+")) {
                r = new Range(Integer.parseInt(text.substring(0, text.length() - 1)),
                        Integer.MAX_VALUE);
            } else if (dash > 0) {
                r = new Range(Integer.parseInt(text.substring(0, dash)),
                        Integer.parseInt(text.substring(dash + 1)));
            } else {
                r = new Range(Integer.parseInt(text), Integer.parseInt(text));
            }
            return outer == null ? r : r.and(outer);
        }

        /** null when nothing is in both. */
        Range and(Range other) {
            int f = Math.max(from, other.from);
            int t = Math.min(to, other.to);
            return f <= t ? new Range(f, t) : null;
        }

        boolean has(int version) {
            return version >= from && version <= to;
        }

        @Override
        public String toString() {
            return from + "-" + to;
        }
    }

    static final class Field {
        String jsonName;
        String name;            // snake_case
        String type;            // "int32", "struct", ... without []
        boolean array;
        boolean ignorable;
        Range versions;
        Range nullable;         // null: never
        int tag = -1;
        String dflt;            // null: zero, empty or false
        String entityType;      // Kafka's own, may be null
        List<Field> fields;     // of structs
    }

    static final class Definition {
        String jsonName;        // "MetadataRequest"
        String name;            // "metadata_request"
        String kind;            // request, response, data
        int key = -1;
        boolean onBrokers;
        boolean unstable;
        Range versions;
        int flexible;           // to + 1: never
        List<Field> fields;
    }

    /** By the definition's own name. */
    final Map<String, Definition> all = new TreeMap<>();
    /** Fields that no valid version has: they are never on the wire. */
    final List<String> dropped = new ArrayList<>();

    Definitions(String directory) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        mapper.configure(JsonParser.Feature.ALLOW_COMMENTS, true);
        try (JarFile jar = new JarFile(clientsJar(directory))) {
            for (JarEntry entry : Collections.list(jar.entries())) {
                if (entry.getName().startsWith("common/message/")
                        && entry.getName().endsWith(".json")) {
                    add(mapper.readTree(jar.getInputStream(entry)));
                }
            }
        }
    }

    private static File clientsJar(String directory) throws IOException {
        File[] found = new File(directory).listFiles((d, name) ->
                name.matches("kafka-clients-[0-9.]+\\.jar"));
        if (found == null || found.length != 1) {
            throw new IOException(directory + ": expected one kafka-clients jar");
        }
        return found[0];
    }

    private void add(JsonNode json) {
        Definition d = new Definition();
        d.versions = Range.parse(json.get("validVersions").asText(), null);
        if (d.versions == null) {
            return;             // an API that is gone
        }
        d.jsonName = json.get("name").asText();
        d.name = snake(d.jsonName);
        d.kind = json.get("type").asText();
        d.key = json.path("apiKey").asInt(-1);
        d.unstable = json.path("latestVersionUnstable").asBoolean();
        for (JsonNode listener : json.path("listeners")) {
            d.onBrokers |= listener.asText().equals("broker");
        }
        Range flexible = Range.parse(json.get("flexibleVersions").asText(), d.versions);
        d.flexible = flexible == null ? d.versions.to + 1 : flexible.from;
        Map<String, JsonNode> common = new HashMap<>();
        for (JsonNode c : json.path("commonStructs")) {
            common.put(c.get("name").asText(), c.get("fields"));
        }
        d.fields = fields(json.get("fields"), common, d.versions, d.name);
        all.put(d.jsonName, d);
    }

    private List<Field> fields(JsonNode list, Map<String, JsonNode> common,
            Range outer, String path) {
        List<Field> out = new ArrayList<>();
        for (JsonNode json : list) {
            Field f = new Field();
            f.jsonName = json.get("name").asText();
            f.name = snake(f.jsonName);
            f.versions = Range.parse(json.get("versions").asText(), outer);
            if (f.versions == null) {
                dropped.add(path + "." + f.name);
                continue;
            }
            readType(f, json, common, path);
            f.nullable = Range.parse(text(json, "nullableVersions"), f.versions);
            f.tag = json.path("tag").asInt(-1);
            f.ignorable = json.path("ignorable").asBoolean();
            f.entityType = text(json, "entityType");
            f.dflt = dflt(text(json, "default"), f.type);
            out.add(f);
        }
        return out;
    }

    private void readType(Field f, JsonNode json, Map<String, JsonNode> common, String path) {
        f.type = json.get("type").asText();
        f.array = f.type.startsWith("[]");
        if (f.array) {
            f.type = f.type.substring(2);
        }
        if (Character.isUpperCase(f.type.charAt(0))) {
            JsonNode inner = json.has("fields") ? json.get("fields") : common.get(f.type);
            f.fields = fields(inner, common, f.versions, path + "." + f.name);
            f.type = "struct";
        }
    }

    private static String text(JsonNode json, String key) {
        return json.has(key) ? json.get(key).asText() : null;
    }

    /** null for the default that a field has anyway. */
    private static String dflt(String text, String type) {
        if (text == null || text.isEmpty() || text.equals("false")) {
            return null;
        }
        if (text.equals("null")) {
            return text;
        }
        long v = text.equals("true") ? 1 : Long.decode(text);
        return v == 0 ? null : Long.toString(v);
    }

    static String snake(String camel) {
        return camel.replaceAll("([a-z0-9])([A-Z])", "$1_$2")
                .replaceAll("([A-Z]+)([A-Z][a-z])", "$1_$2").toLowerCase();
    }

    /** Requests and responses that brokers take from clients, and what groups exchange. */
    boolean isOurs(Definition d) {
        if (d.kind.equals("data")) {
            return d.jsonName.startsWith("ConsumerProtocol");
        }
        if (d.kind.equals("response")) {
            Definition request = all.get(d.jsonName.replaceAll("Response$", "Request"));
            return request != null && request.onBrokers;
        }
        return d.kind.equals("request") && d.onBrokers;
    }
}
