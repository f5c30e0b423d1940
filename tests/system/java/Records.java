import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Records whose every byte must come back: all compressions, headers, tombstones, timestamps, large ones. */
final class Records {
    static void register() {
        Driver.add("records", Records::records);
        Driver.add("acks0", Records::acks0);
    }

    /** Writes "count" records of "size" bytes to each partition and reads the same back. */
    private static Map<String, Object> records(Job job) throws Exception {
        String topic = job.text("topic");
        int partitions = job.number("partitions", 6), count = job.number("count", 50), size = job.number("size", 1000);
        Random random = new Random(size * 31L + count);
        Map<String, ProducerRecord<byte[], byte[]>> sent = new HashMap<>();
        Map<TopicPartition, Long> start;
        List<TopicPartition> parts = new ArrayList<>();
        for (int i = 0; i < partitions; i++)
            parts.add(new TopicPartition(topic, i));
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                 job.client("max.partition.fetch.bytes", "1048576", "auto.offset.reset", "none", "client.rack", "rack-east"),
                 new ByteArrayDeserializer(), new ByteArrayDeserializer());
             KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                 job.client("acks", "all", "linger.ms", "20", "max.request.size", "12000000", "buffer.memory", "67108864",
                     "compression.type", job.text("compression", "none")),
                 new ByteArraySerializer(), new ByteArraySerializer())) {
            start = consumer.endOffsets(parts);
            List<java.util.concurrent.Future<RecordMetadata>> acks = new ArrayList<>();
            List<ProducerRecord<byte[], byte[]>> order = new ArrayList<>();
            for (int i = 0; i < count * partitions; i++) {
                byte[] value = null;
                if (i % 7 != 3) {
                    value = new byte[size];
                    random.nextBytes(value);
                    Arrays.fill(value, 0, size / 2, (byte) i);
                }
                byte[] key = i % 5 == 0 && value != null ? null : ("key-é-" + i).getBytes(StandardCharsets.UTF_8);
                ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, i % partitions, 1_700_000_000_000L + i, key, value);
                r.headers().add("twice", ("a" + i).getBytes(StandardCharsets.UTF_8)).add("twice", ("b" + i).getBytes(StandardCharsets.UTF_8)).add("none", null);
                order.add(r);
                acks.add(producer.send(r));
            }
            for (int i = 0; i < acks.size(); i++) {
                RecordMetadata meta = acks.get(i).get();
                if (sent.put(meta.partition() + "@" + meta.offset(), order.get(i)) != null)
                    throw new IllegalStateException("two records acknowledged at " + meta);
            }
            consumer.assign(parts);
            start.forEach(consumer::seek);
            long deadline = System.nanoTime() + 60_000_000_000L;
            while (!sent.isEmpty()) {
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException(sent.size() + " records did not come back");
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200)))
                    same(sent.remove(r.partition() + "@" + r.offset()), r);
            }
        }
        return Job.pairs("records", count * partitions);
    }

    private static void same(ProducerRecord<byte[], byte[]> sent, ConsumerRecord<byte[], byte[]> got) {
        if (sent == null)
            throw new IllegalStateException("read twice or never written: " + got.partition() + "@" + got.offset());
        boolean equal = Arrays.equals(sent.key(), got.key()) && Arrays.equals(sent.value(), got.value()) && sent.timestamp() == got.timestamp();
        Header[] a = sent.headers().toArray(), b = got.headers().toArray();
        equal = equal && a.length == b.length;
        for (int i = 0; equal && i < a.length; i++)
            equal = a[i].key().equals(b[i].key()) && Arrays.equals(a[i].value(), b[i].value());
        if (!equal)
            throw new IllegalStateException("differs from what was written: " + got.partition() + "@" + got.offset());
    }

    /** acks=0 tells no offsets: the records must be there in the end, each once, in their order, between acknowledged ones. */
    private static Map<String, Object> acks0(Job job) throws Exception {
        String topic = job.text("topic");
        int count = job.number("count", 2000), partitions = job.number("partitions", 6);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                 job.client("acks", "0", "enable.idempotence", "false", "max.in.flight.requests.per.connection", "1"),
                 new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int i = 0; i < count; i++)
                producer.send(new ProducerRecord<>(topic, i % partitions, null, String.valueOf(i).getBytes(StandardCharsets.UTF_8)));
        }
        List<TopicPartition> parts = new ArrayList<>();
        for (int i = 0; i < partitions; i++)
            parts.add(new TopicPartition(topic, i));
        int[] next = new int[partitions];
        int seen = 0;
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(job.client(), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(parts);
            consumer.seekToBeginning(parts);
            long deadline = System.nanoTime() + 60_000_000_000L;
            while (seen < count) {
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException("only " + seen + " of " + count);
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    int n = Integer.parseInt(new String(r.value(), StandardCharsets.UTF_8));
                    if (n != next[r.partition()] * partitions + r.partition())
                        throw new IllegalStateException("partition " + r.partition() + ": " + n + " is out of order");
                    next[r.partition()]++;
                    seen++;
                }
            }
        }
        return Job.pairs("records", seen);
    }
}
