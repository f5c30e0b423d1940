import java.io.File;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.StreamsGroupSubtopologyDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * A word count with state: repartition and changelog topics are made by Streams itself. With the counts of a run "before" and a new
 * folder for the state, it goes on from what the changelog holds.
 */
final class Streaming {
    static void register() {
        Driver.add("wordcount", Streaming::wordCount);
    }

    private static Map<String, Object> wordCount(Job job) throws Exception {
        String in = job.text("from"), out = job.text("to"), app = job.text("app");
        int lines = job.number("count", 300);
        String[] words = {"weir", "river", "gate", "flow"};
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(in)
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word)
            .count(Materialized.as("counts"))
            .toStream()
            .to(out, Produced.with(Serdes.String(), Serdes.Long()));
        Properties p = job.client("application.id", app, "group.protocol", job.text("protocol", "classic"), "state.dir", job.text("state"),
            "processing.guarantee", job.text("guarantee", "exactly_once_v2"), "commit.interval.ms", "200", "replication.factor", "3",
            "num.stream.threads", "2");
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        new File(job.text("state")).mkdirs();
        Map<String, Long> expected = new HashMap<>();
        job.map("before").forEach((word, count) -> expected.put(word, ((Number) count).longValue()));
        Set<String> described = Set.of();
        try (KafkaStreams streams = new KafkaStreams(builder.build(), p)) {
            streams.start();
            job.event("started");
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(job.client("client.id", app), new StringSerializer(), new StringSerializer())) {
                for (int i = 0; i < lines; i++) {
                    String a = words[i % 4], b = words[i % 3];
                    producer.send(new ProducerRecord<>(in, i % 6, "line" + i, a + " " + b));
                    expected.merge(a, 1L, Long::sum);
                    expected.merge(b, 1L, Long::sum);
                }
            }
            Map<String, Long> counted = new HashMap<>();
            try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(
                    job.client("isolation.level", "read_committed"), new StringDeserializer(), new LongDeserializer())) {
                var parts = consumer.partitionsFor(out).stream().map(i -> new TopicPartition(out, i.partition())).toList();
                consumer.assign(parts);
                consumer.seekToBeginning(parts);
                long deadline = System.nanoTime() + job.number("seconds", 150) * 1_000_000_000L;
                while (!counted.equals(expected)) {
                    if (System.nanoTime() > deadline)
                        throw new IllegalStateException("counted " + counted + ", not " + expected + "; state " + streams.state());
                    for (ConsumerRecord<String, Long> r : consumer.poll(Duration.ofMillis(200))) {
                        Long before = counted.put(r.key(), r.value());
                        if (before != null && before > r.value())
                            throw new IllegalStateException("count of " + r.key() + " fell from " + before + " to " + r.value());
                    }
                }
            }
            if (job.text("protocol", "classic").equals("streams"))
                described = described(job, app);
            // Without leaving, the next one would wait until this one's session has timed out.
            streams.close(CloseOptions.timeout(Duration.ofSeconds(20)).withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
        }
        return Job.pairs("counts", expected, "described", described);
    }

    /** All topics that the broker says of the group's topology. */
    private static Set<String> described(Job job, String app) throws Exception {
        Set<String> topics = new TreeSet<>();
        try (Admin admin = Admin.create(job.client())) {
            for (StreamsGroupSubtopologyDescription part : admin.describeStreamsGroups(List.of(app)).all().get().get(app).subtopologies()) {
                topics.addAll(part.sourceTopics());
                topics.addAll(part.repartitionSinkTopics());
                topics.addAll(part.repartitionSourceTopics().keySet());
                topics.addAll(part.stateChangelogTopics().keySet());
            }
        }
        return topics;
    }
}
