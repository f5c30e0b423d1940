import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Members of share groups (KIP-932). */
final class Sharing {
    static void register() {
        Driver.add("share_earliest", Sharing::earliest);
        Driver.add("share", Sharing::share);
    }

    /** A new share group begins at the end of its topics unless told so. */
    private static Map<String, Object> earliest(Job job) throws Exception {
        try (Admin admin = Admin.create(job.client())) {
            ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, job.text("group"));
            admin.incrementalAlterConfigs(Map.of(group, List.of(
                new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all().get();
        }
        return null;
    }

    /**
     * Reads until stopped or "count" records are accepted. Each tenth record is released at its first delivery, so it must come again,
     * and each fifteenth is rejected, so it must not. Lines "S topic partition offset value deliveries fate".
     */
    private static Map<String, Object> share(Job job) throws Exception {
        Properties p = job.client("group.id", job.text("group"), "share.acknowledgement.mode", "explicit", "client.id", job.text("member", "share"));
        int count = job.number("count", Integer.MAX_VALUE), accepted = 0, released = 0, rejected = 0;
        List<String> errors = new ArrayList<>();
        Map<String, Integer> seen = new HashMap<>();
        try (Job.Log log = job.log();
             KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            consumer.setAcknowledgementCommitCallback((offsets, e) -> {
                if (e != null)
                    synchronized (errors) {
                        errors.add(e.toString());
                    }
            });
            consumer.subscribe(job.texts("topic"));
            job.event("started");
            while (accepted < count && !job.stopping()) {
                ConsumerRecords<String, String> batch = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<String, String> r : batch) {
                    seen.merge(r.topic() + "-" + r.partition() + "@" + r.offset(), 1, Integer::sum);
                    int deliveries = r.deliveryCount().orElse((short) 0);
                    AcknowledgeType fate = r.offset() % 10 == 9 && deliveries == 1 ? AcknowledgeType.RELEASE
                        : r.offset() % 15 == 7 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT;
                    consumer.acknowledge(r, fate);
                    log.line("S", r.topic(), r.partition(), r.offset(), Consuming.mark(r.value()), deliveries, fate.name());
                    switch (fate) {
                        case ACCEPT -> accepted++;
                        case RELEASE -> released++;
                        default -> rejected++;
                    }
                }
                log.flush();
                if (!batch.isEmpty())
                    consumer.commitSync(Duration.ofSeconds(30)).forEach((tp, e) -> e.ifPresent(x -> errors.add(tp + " " + x)));
            }
        }
        return Job.pairs("accepted", accepted, "released", released, "rejected", rejected, "errors", errors, "distinct", seen.size());
    }
}
