import java.io.File;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** A word count with state: repartition and changelog topics are made by Streams itself. */
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
                long deadline = System.nanoTime() + job.number("seconds", 90) * 1_000_000_000L;
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
            streams.close(Duration.ofSeconds(20));
        }
        return Job.pairs("counts", expected);
    }
}
