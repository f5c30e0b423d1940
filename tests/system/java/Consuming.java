import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.RetriableCommitFailedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Members of groups, and readers of whole topics. */
final class Consuming {
    static void register() {
        Driver.add("consume", Consuming::consume);
        Driver.add("dump", Consuming::dump);
    }

    /**
     * One member of "group"; lines "R topic partition offset value". Ends when stopped, or after "count" records.
     * "pattern" subscribes by a regular expression: the broker's own (RE2) with the new protocol, else the client's; or as "matched" says.
     */
    private static Map<String, Object> consume(Job job) throws Exception {
        String protocol = job.text("protocol", "classic");
        Properties p = job.client("group.id", job.text("group"), "group.protocol", protocol, "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "client.id", job.text("member", "member"), "isolation.level", job.text("isolation", "read_committed"));
        if (job.text("instance", null) != null)
            p.put("group.instance.id", job.text("instance"));
        int count = job.number("count", Integer.MAX_VALUE), records = 0, skipped = 0;
        Gaps gaps = new Gaps();
        TreeSet<String> assigned = new TreeSet<>();
        try (Job.Log log = job.log();
             KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> parts) {
                    parts.forEach(tp -> assigned.add(tp.toString()));
                    log.line("+", parts.size());
                    job.event("assigned", "partitions", new ArrayList<>(assigned));
                }

                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> parts) {
                    parts.forEach(tp -> assigned.remove(tp.toString()));
                    log.line("-", parts.size());
                }
            };
            String pattern = job.text("pattern", null);
            if (pattern == null)
                consumer.subscribe(job.texts("topic"), listener);
            else if (job.text("matched", protocol.equals("consumer") ? "broker" : "client").equals("broker"))
                consumer.subscribe(new SubscriptionPattern(pattern), listener);
            else
                consumer.subscribe(java.util.regex.Pattern.compile(pattern), listener);
            job.event("started");
            while (records < count && !job.stopping()) {
                ConsumerRecords<String, String> batch = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<String, String> r : batch) {
                    log.line("R", r.topic(), r.partition(), r.offset(), mark(r.value()));
                    gaps.seen(r.topic() + r.partition());
                }
                if (batch.isEmpty())
                    continue;
                log.flush();
                if (records == 0)
                    job.event("first");
                records += batch.count();
                try {
                    consumer.commitSync(Duration.ofSeconds(30));
                } catch (RebalanceInProgressException | CommitFailedException | RetriableCommitFailedException | TimeoutException e) {
                    skipped++;
                }
            }
            if (job.flag("stay", false))
                consumer.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP));
        }
        return Job.pairs("records", records, "commits_skipped", skipped, "longest_gap_ms", gaps.longestMs());
    }

    static String mark(String value) {
        if (value == null)
            return "-";
        int pad = value.lastIndexOf('/');
        return pad > 0 && value.endsWith("x") ? value.substring(0, pad) : value;
    }

    /** Everything that "topic" holds, from its beginning to where it ended at the start; same lines as a member's. */
    private static Map<String, Object> dump(Job job) throws Exception {
        Properties p = job.client("isolation.level", job.text("isolation", "read_committed"), "auto.offset.reset", "none",
            "max.poll.records", "5000");
        int records = 0;
        try (Job.Log log = job.log();
             KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> parts = new ArrayList<>();
            for (String topic : job.texts("topic"))
                consumer.partitionsFor(topic).forEach(i -> parts.add(new TopicPartition(topic, i.partition())));
            settle(job, consumer, parts);
            Map<TopicPartition, Long> ends = consumer.endOffsets(parts);
            consumer.assign(parts);
            consumer.seekToBeginning(parts);
            long deadline = System.nanoTime() + job.number("seconds", 60) * 1_000_000_000L;
            while (parts.stream().anyMatch(tp -> consumer.position(tp) < ends.get(tp))) {
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException("not read to the end: " + ends);
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
                    log.line("R", r.topic(), r.partition(), r.offset(), mark(r.value()));
                    records++;
                }
            }
        }
        return Job.pairs("records", records);
    }

    /**
     * Brokers answer a commit before its markers stand in all partitions: until then what it committed is not to be read. Transactions
     * that stay open are waited for no longer than "settle" seconds.
     */
    private static void settle(Job job, KafkaConsumer<String, String> consumer, List<TopicPartition> parts) throws Exception {
        if (!job.text("isolation", "read_committed").equals("read_committed"))
            return;
        long deadline = System.nanoTime() + job.number("settle", 30) * 1_000_000_000L;
        try (KafkaConsumer<String, String> all = new KafkaConsumer<>(job.client("isolation.level", "read_uncommitted"), new StringDeserializer(), new StringDeserializer())) {
            while (!all.endOffsets(parts).equals(consumer.endOffsets(parts)) && System.nanoTime() < deadline)
                job.waitStop(50);
        }
    }
}
