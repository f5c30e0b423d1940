import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Producers whose every value says where it belongs: topic/partition/producer/sequence/fate. */
final class Producing {
    static String value(String topic, int partition, String producer, long seq, char fate, int size) {
        String mark = topic + "/" + partition + "/" + producer + "/" + seq + "/" + fate;
        int pad = size - mark.length() - 1;
        return pad <= 0 ? mark : mark + "/" + "x".repeat(pad);
    }

    static void register() {
        Driver.add("produce", Producing::produce);
    }

    /** What all callbacks of one producer have seen. */
    private static final class Seen {
        final AtomicInteger acked = new AtomicInteger();
        final AtomicInteger failed = new AtomicInteger();
        final AtomicReference<String> error = new AtomicReference<>();
        private final List<Long> latencies = new ArrayList<>();
        final Gaps gaps = new Gaps();

        synchronized void ack(String place, long sent) {
            gaps.seen(place);
            latencies.add(System.nanoTime() - sent);
        }

        synchronized Map<String, Object> result() {
            Collections.sort(latencies);
            int n = latencies.size();
            return Job.pairs("acked", acked.get(), "failed", failed.get(), "error", String.valueOf(error.get()),
                "longest_gap_ms", gaps.longestMs(), "p50_us", n == 0 ? 0 : latencies.get(n / 2) / 1000,
                "p99_us", n == 0 ? 0 : latencies.get(n * 99 / 100) / 1000);
        }
    }

    /** Sends "count" records, or "rate" a second until stopped; lines "A seq topic partition offset" or "E seq ... error". */
    private static Map<String, Object> produce(Job job) throws Exception {
        List<String> topics = job.texts("topic");
        String name = job.text("producer", "java");
        int partitions = job.number("partitions", 6);
        int only = job.number("partition", -1);
        int count = job.number("count", Integer.MAX_VALUE);
        int rate = job.number("rate", 0);
        int size = job.number("size", 100);
        Seen seen = new Seen();
        try (Job.Log log = job.log();
             KafkaProducer<String, String> producer = new KafkaProducer<>(
                 job.client("acks", "all", "linger.ms", "0", "client.id", name), new StringSerializer(), new StringSerializer())) {
            for (String topic : topics)
                producer.partitionsFor(topic);
            job.event("started");
            long began = System.nanoTime();
            int seq = 0;
            for (; seq < count && !job.stopping(); seq++) {
                String topic = topics.get(seq % topics.size());
                int partition = only >= 0 ? only : (seq / topics.size()) % partitions;
                int n = seq;
                long sent = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, partition, "k" + partition, value(topic, partition, name, seq, 'c', size)), (meta, e) -> {
                    if (e != null) {
                        log.line("E", n, topic, partition, e.getClass().getSimpleName());
                        seen.failed.incrementAndGet();
                        seen.error.compareAndSet(null, e.toString());
                    } else {
                        log.line("A", n, meta.topic(), meta.partition(), meta.offset());
                        seen.acked.incrementAndGet();
                        seen.ack(meta.topic() + meta.partition(), sent);
                    }
                });
                if (seq == 0)
                    job.event("first");
                if (rate > 0) {
                    long due = began + (seq + 1) * 1_000_000_000L / rate;
                    long ahead = due - System.nanoTime();
                    if (ahead > 0)
                        job.waitStop(ahead / 1_000_000);
                }
            }
            producer.flush();
            producer.close(Duration.ofSeconds(30));
            Map<String, Object> result = seen.result();
            result.put("sent", seq);
            result.put("ms", (System.nanoTime() - began) / 1_000_000);
            return result;
        }
    }
}
