// SPDX-License-Identifier: Apache-2.0
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/**
 * Compares the schema with Kafka's own definitions, field by field.
 * Usage: Oracle JAR_DIRECTORY DUMP ERRORS_DEF, where DUMP is what
 * "schemac --dump" printed. Exits 1 when anything differs.
 */
public final class Oracle {
    /** Where Kafka names an entity, the schema must mean the same. */
    private static final Map<String, String> MEANINGS = Map.of(
            "topicName", "topic", "groupId", "group", "transactionalId", "txn",
            "brokerId", "broker");

    private final Map<String, String> kafka = new LinkedHashMap<>();
    private final Map<String, String> kafkaMeaning = new LinkedHashMap<>();
    private int compared;
    private int failed;

    public static void main(String[] args) throws IOException {
        if (args.length != 3) {
            System.err.println("usage: Oracle JAR_DIRECTORY DUMP ERRORS_DEF");
            System.exit(2);
        }
        Oracle o = new Oracle();
        o.compareSchema(new Definitions(args[0]), Files.readAllLines(Path.of(args[1])));
        o.compareErrors(Files.readString(Path.of(args[2])));
        System.out.printf("%d passed, %d failed%n", o.compared - o.failed, o.failed);
        System.exit(o.failed == 0 ? 0 : 1);
    }

    private void fail(String what) {
        failed++;
        System.out.println("differs: " + what);
    }

    private void compareSchema(Definitions definitions, List<String> dump) {
        for (Definitions.Definition d : definitions.all.values()) {
            if (definitions.isOurs(d)) {
                addDefinition(d);
            }
        }
        for (String line : dump) {
            String path = line.substring(0, line.indexOf(' '));
            String meaning = "";
            int at = line.indexOf(" @");
            if (at >= 0) {
                meaning = line.substring(at + 2);
                line = line.substring(0, at);
            }
            compared++;
            String want = kafka.remove(path);
            if (want == null) {
                fail(line + " is not in Kafka");
            } else if (!want.equals(line)) {
                fail("schema " + line + "\n         kafka  " + want);
            } else if (kafkaMeaning.containsKey(path)
                    && !kafkaMeaning.get(path).equals(meaning)) {
                fail(path + " is @" + meaning + ", for Kafka @" + kafkaMeaning.get(path));
            }
        }
        for (String line : kafka.values()) {
            compared++;
            fail(line + " is not in the schema");
        }
        for (String path : definitions.dropped) {
            System.out.println("note: in no valid version, so not compared: " + path);
        }
    }

    private void addDefinition(Definitions.Definition d) {
        if (!d.kind.equals("response")) {
            String api = d.name.replaceAll("_request$", "");
            kafka.put(api, String.format("%s key %d versions %s flexible %d", api, d.key,
                    d.versions, d.flexible));
        }
        if (d.unstable) {
            System.out.println("note: the last version is unstable: " + d.name);
        }
        addFields(d.name, d.fields);
    }

    private void addFields(String path, List<Definitions.Field> fields) {
        int n = 0;
        for (Definitions.Field f : fields) {
            String name = path + "." + f.name;
            StringBuilder line = new StringBuilder();
            line.append(String.format("%s %d %s%s %s", name, n++, f.array ? "[]" : "", f.type,
                    f.versions));
            if (f.nullable != null) {
                line.append(" null ").append(f.nullable.from);
                if (f.nullable.to != f.versions.to) {
                    line.append(" until ").append(f.nullable.to);
                }
            }
            if (f.tag >= 0) {
                line.append(" tag ").append(f.tag);
            }
            if (f.dflt != null) {
                line.append(" default ").append(f.dflt);
            }
            if (f.ignorable) {
                line.append(" ignorable");
            }
            kafka.put(name, line.toString());
            if (MEANINGS.containsKey(f.entityType == null ? "" : f.entityType)) {
                kafkaMeaning.put(name, MEANINGS.get(f.entityType));
            }
            if (f.fields != null) {
                addFields(name, f.fields);
            }
        }
    }

    private void compareErrors(String def) {
        Map<Integer, String> ours = new LinkedHashMap<>();
        Matcher m = Pattern.compile("^X\\((\\w+), (-?\\d+), (true|false),", Pattern.MULTILINE)
                .matcher(def);
        while (m.find()) {
            ours.put(Integer.parseInt(m.group(2)), m.group(1) + " " + m.group(3));
        }
        for (Errors e : Errors.values()) {
            String want = e.name() + " " + (e.exception() instanceof RetriableException);
            String got = ours.remove((int) e.code());
            compared++;
            if (!want.equals(got)) {
                fail("errors.def " + e.code() + " " + got + ", for Kafka " + want);
            }
        }
        for (Map.Entry<Integer, String> e : ours.entrySet()) {
            compared++;
            fail("errors.def " + e.getKey() + " " + e.getValue() + " is not in Kafka");
        }
    }
}
