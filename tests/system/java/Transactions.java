import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Transactional producers, and exactly-once copying from topic to topic. */
final class Transactions {
    static void register() {
        Driver.add("transact", Transactions::transact);
        Driver.add("copy", Transactions::copy);
    }

    private static KafkaProducer<String, String> open(Job job, String id) {
        KafkaProducer<String, String> producer = new KafkaProducer<>(
            job.client("transactional.id", id, "linger.ms", "5", "client.id", id), new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    /** Commits or aborts through timeouts. Returns committed, aborted, or unknown when the producer is lost. */
    private static String end(KafkaProducer<String, String> producer, boolean commit) {
        for (int tries = 0; tries < 20; tries++) {
            try {
                if (commit)
                    producer.commitTransaction();
                else
                    producer.abortTransaction();
                return commit ? "committed" : "aborted";
            } catch (TimeoutException e) {
                continue;
            } catch (ProducerFencedException | InvalidProducerEpochException e) {
                return "unknown";
            } catch (KafkaException e) {
                if (!commit)
                    return "unknown";
                commit = false;
            }
        }
        return "unknown";
    }

    /** Transactions of "batch" records, each third one aborted; lines "A seq topic partition offset txn" and "T txn outcome". */
    private static Map<String, Object> transact(Job job) throws Exception {
        List<String> topics = job.texts("topic");
        String name = job.text("producer", "txn");
        int partitions = job.number("partitions", 6);
        int txns = job.number("count", Integer.MAX_VALUE);
        int batch = job.number("batch", 12);
        int pause = job.number("pause_ms", 0);
        Map<String, Integer> outcomes = new HashMap<>();
        String error = "null";
        long seq = 0, last = System.nanoTime(), longest = 0;
        KafkaProducer<String, String> producer = open(job, name);
        job.event("started");
        try (Job.Log log = job.log()) {
            for (int txn = 0; txn < txns && !job.stopping(); txn++) {
                boolean commit = txn % 3 != 2;
                int number = txn;
                String outcome;
                try {
                    producer.beginTransaction();
                    for (int i = 0; i < batch; i++, seq++) {
                        String topic = topics.get((int) (seq % topics.size()));
                        int partition = (int) (seq / topics.size() % partitions);
                        long n = seq;
                        producer.send(new ProducerRecord<>(topic, partition, "k", Producing.value(topic, partition, name, seq, commit ? 'c' : 'a', 100)), (meta, e) -> {
                            if (e == null)
                                log.line("A", n, meta.topic(), meta.partition(), meta.offset(), number);
                            else
                                log.line("E", n, topic, partition, e.getClass().getSimpleName(), number);
                        });
                    }
                    producer.flush();
                    outcome = end(producer, commit);
                } catch (KafkaException e) {
                    error = e.toString();
                    outcome = end(producer, false);
                }
                log.line("T", txn, outcome);
                outcomes.merge(outcome, 1, Integer::sum);
                if (outcome.equals("unknown")) {
                    producer.close(Duration.ZERO);
                    producer = open(job, name);
                }
                if (outcome.equals("committed")) {
                    longest = Math.max(longest, System.nanoTime() - last);
                    last = System.nanoTime();
                }
                if (pause > 0)
                    job.waitStop(pause);
            }
        } finally {
            producer.close(Duration.ofSeconds(30));
        }
        return Job.pairs("outcomes", outcomes, "records", seq, "error", error, "longest_gap_ms", longest / 1_000_000);
    }

    /** Copies "from" to "to" exactly once: offsets travel in the transactions. Ends when stopped or after "count" records. */
    private static Map<String, Object> copy(Job job) throws Exception {
        String from = job.text("from"), to = job.text("to"), group = job.text("group"), id = job.text("producer", "copy");
        int count = job.number("count", Integer.MAX_VALUE), copied = 0, aborted = 0;
        String error = "null";
        KafkaProducer<String, String> producer = open(job, id);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
                job.client("group.id", group, "enable.auto.commit", "false", "auto.offset.reset", "earliest", "isolation.level", "read_committed"),
                new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(from));
            job.event("started");
            while (copied < count && !job.stopping()) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty())
                    continue;
                boolean done = false;
                String outcome = "unknown";
                try {
                    producer.beginTransaction();
                    for (ConsumerRecord<String, String> r : records)
                        producer.send(new ProducerRecord<>(to, r.partition(), r.key(), r.value()));
                    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                    for (TopicPartition tp : records.partitions()) {
                        List<ConsumerRecord<String, String>> list = records.records(tp);
                        offsets.put(tp, new OffsetAndMetadata(list.get(list.size() - 1).offset() + 1));
                    }
                    producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                    outcome = end(producer, true);
                    done = outcome.equals("committed");
                } catch (KafkaException e) {
                    error = e.toString();
                    outcome = end(producer, false);
                }
                if (done) {
                    copied += records.count();
                    continue;
                }
                aborted++;
                if (outcome.equals("unknown")) {
                    producer.close(Duration.ZERO);
                    producer = open(job, id);
                }
                rewind(consumer);
            }
        } finally {
            producer.close(Duration.ofSeconds(30));
        }
        return Job.pairs("copied", copied, "aborted", aborted, "error", error);
    }

    /** Back to what is committed: an unfinished transaction has moved the position. */
    private static void rewind(KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment(), Duration.ofSeconds(60));
        for (TopicPartition tp : consumer.assignment()) {
            OffsetAndMetadata offset = committed.get(tp);
            if (offset == null)
                consumer.seekToBeginning(List.of(tp));
            else
                consumer.seek(tp, offset.offset());
        }
    }
}
