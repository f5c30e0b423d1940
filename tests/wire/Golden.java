// SPDX-License-Identifier: Apache-2.0
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Writes random messages as Kafka's own generated classes serialize them.
 * Usage: Golden JAR_DIRECTORY COUNT SEED FILE
 *
 * A message is drawn as JSON from its definition, read by the class's
 * JsonConverter and written by the class. The file holds, big-endian: "WGV1",
 * int64 seed, then for each vector int8 kind (0 request, 1 response, 2 plain),
 * int16 key, int16 version, int32 length and the bytes. Plain messages have the
 * keys 0 (subscription) and 1 (assignment).
 */
public final class Golden {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final Random random;

    private Golden(long seed) {
        random = new Random(seed);
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            System.err.println("usage: Golden JAR_DIRECTORY COUNT SEED FILE");
            System.exit(2);
        }
        int count = Integer.parseInt(args[1]);
        long seed = Long.parseLong(args[2]);
        Golden g = new Golden(seed);
        Definitions definitions = new Definitions(args[0]);
        int vectors = 0;
        try (DataOutputStream out = new DataOutputStream(
                new BufferedOutputStream(new FileOutputStream(args[3])))) {
            out.writeBytes("WGV1");
            out.writeLong(seed);
            for (Definitions.Definition d : definitions.all.values()) {
                if (definitions.isOurs(d)) {
                    vectors += g.writeAll(d, count, out);
                }
            }
        }
        System.out.printf("seed %d: %d vectors, %d a message version%n", seed, vectors, count);
    }

    private int writeAll(Definitions.Definition d, int count, DataOutputStream out)
            throws Exception {
        Method read = Class.forName("org.apache.kafka.common.message." + className(d)
                + "JsonConverter").getMethod("read", JsonNode.class, short.class);
        int written = 0;
        for (int v = d.versions.from; v <= d.versions.to; v++) {
            for (int i = 0; i < count; i++, written++) {
                Message m = (Message) read.invoke(null, struct(d.fields, v, i), (short) v);
                byte[] bytes = serialize(m, (short) v);
                out.writeByte(kind(d));
                out.writeShort(key(d));
                out.writeShort(v);
                out.writeInt(bytes.length);
                out.write(bytes);
            }
        }
        return written;
    }

    private static String className(Definitions.Definition d) {
        return d.kind.equals("data") ? d.jsonName : d.jsonName + "Data";
    }

    private static int kind(Definitions.Definition d) {
        return d.kind.equals("request") ? 0 : d.kind.equals("response") ? 1 : 2;
    }

    private static int key(Definitions.Definition d) {
        if (d.kind.equals("data")) {
            return d.jsonName.endsWith("Subscription") ? 0 : 1;
        }
        return d.key;
    }

    private static byte[] serialize(Message m, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(m.size(cache, version));
        m.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) {
            throw new IllegalStateException("shorter than its size");
        }
        return buffer.array();
    }

    // ---- drawing ----

    /** The first of each version is as empty, and the second as null, as can be. */
    private ObjectNode struct(List<Definitions.Field> fields, int version, int round) {
        ObjectNode node = JSON.objectNode();
        for (Definitions.Field f : fields) {
            if (!f.versions.has(version)) {
                continue;
            }
            if (f.tag >= 0 && (round < 2 || random.nextInt(3) == 0)) {
                continue;       // stays at its default: not on the wire
            }
            if (f.nullable != null && f.nullable.has(version)
                    && (round == 1 || random.nextInt(5) == 0)) {
                node.set(camel(f), NullNode.instance);
            } else {
                node.set(camel(f), f.array ? array(f, version, round) : value(f, version, round));
            }
        }
        return node;
    }

    private static String camel(Definitions.Field f) {
        return f.jsonName.substring(0, 1).toLowerCase() + f.jsonName.substring(1);
    }

    private ArrayNode array(Definitions.Field f, int version, int round) {
        ArrayNode node = JSON.arrayNode();
        int n = round == 0 ? 0 : random.nextInt(4);
        if (f.fields == null && random.nextInt(40) == 0) {
            n = 100 + random.nextInt(100);      // a count of two bytes
        }
        for (int i = 0; i < n; i++) {
            node.add(value(f, version, round));
        }
        return node;
    }

    private JsonNode value(Definitions.Field f, int version, int round) {
        switch (f.type) {
            case "bool":
                return BooleanNode.valueOf(random.nextBoolean());
            case "int8":
                return IntNode.valueOf((byte) number());
            case "int16":
                return IntNode.valueOf((short) number());
            case "uint16":
                return IntNode.valueOf((int) number() & 0xffff);
            case "int32":
                return IntNode.valueOf((int) number());
            case "uint32":
                return LongNode.valueOf(number() & 0xffffffffL);
            case "int64":
                return LongNode.valueOf(number());
            case "float64":
                return DoubleNode.valueOf(random.nextDouble() * number());
            case "string":
                return TextNode.valueOf(text(round));
            case "bytes":
            case "records":
                return BinaryNode.valueOf(bytes(round));
            case "uuid":
                return TextNode.valueOf(new Uuid(number(), number()).toString());
            case "struct":
                return struct(f.fields, version, round);
            default:
                throw new IllegalStateException("unknown type " + f.type);
        }
    }

    /** Small ones, the edges, and anything. */
    private long number() {
        switch (random.nextInt(6)) {
            case 0:
                return 0;
            case 1:
                return -1;
            case 2:
                return random.nextBoolean() ? Long.MAX_VALUE : Long.MIN_VALUE;
            case 3:
                return random.nextInt(100);
            default:
                return random.nextLong();
        }
    }

    private int length(int round) {
        if (round == 0 || random.nextInt(10) == 0) {
            return 0;
        }
        return random.nextInt(20) == 0 ? 100 + random.nextInt(400) : random.nextInt(20);
    }

    private byte[] bytes(int round) {
        byte[] b = new byte[random.nextInt(50) == 0 && round > 1 ? 3000 : length(round)];
        random.nextBytes(b);
        return b;
    }

    /** ASCII mostly, with characters of two, three and four bytes. */
    private String text(int round) {
        StringBuilder s = new StringBuilder();
        for (int n = length(round); n > 0; n--) {
            switch (random.nextInt(20)) {
                case 0:
                    s.appendCodePoint(0xe4);
                    break;
                case 1:
                    s.appendCodePoint(0x4e2d);
                    break;
                case 2:
                    s.appendCodePoint(0x1f409);
                    break;
                default:
                    s.append((char) (' ' + random.nextInt(95)));
            }
        }
        return s.toString();
    }
}
