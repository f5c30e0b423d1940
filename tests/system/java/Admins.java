import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The administrator's side of the Java client, API by API. Each scenario checks what it gets. */
final class Admins {
    static void register() {
        Driver.add("admin_topics", Admins::topics);
        Driver.add("admin_configs", Admins::configs);
        Driver.add("admin_groups", Admins::groups);
        Driver.add("admin_cluster", Admins::cluster);
        Driver.add("admin_transactions", Admins::transactions);
        Driver.add("admin_refused", Admins::refused);
    }

    private static void check(boolean ok, String what) {
        if (!ok)
            throw new IllegalStateException(what);
    }

    private static Throwable failure(Callable<?> call) throws Exception {
        try {
            call.call();
            return null;
        } catch (ExecutionException e) {
            return e.getCause();
        }
    }

    private static void until(Job job, String what, Callable<Boolean> check) throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (!check.call()) {
            check(System.nanoTime() < deadline, "not in time: " + what);
            job.waitStop(50);
        }
    }

    private static void fill(Job job, String topic, int partitions, int each) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(job.client(), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < partitions * each; i++)
                producer.send(new ProducerRecord<>(topic, i % partitions, 1000L + i, "k", "v" + i));
        }
    }

    private static Map<String, Object> topics(Job job) throws Exception {
        String a = job.text("topic") + "-a", b = job.text("topic") + "-b";
        List<String> texts = new ArrayList<>();
        try (Admin admin = Admin.create(job.client())) {
            admin.createTopics(List.of(new NewTopic(a, 3, (short) 3).configs(Map.of("cleanup.policy", "compact")), new NewTopic(b, 3, (short) -1))).all().get();
            until(job, "topics listed", () -> admin.listTopics().names().get().containsAll(List.of(a, b)));
            Throwable e = failure(() -> admin.createTopics(List.of(new NewTopic(a, 3, (short) 3))).all().get());
            check(e instanceof TopicExistsException, "creating twice: " + e);
            texts.add(String.valueOf(e.getMessage()));
            e = failure(() -> admin.describeTopics(List.of(a + "-not")).allTopicNames().get());
            check(e instanceof UnknownTopicOrPartitionException, "describing what is not there: " + e);
            admin.createPartitions(Map.of(b, NewPartitions.increaseTo(6))).all().get();
            until(job, "six partitions", () -> {
                TopicDescription d = admin.describeTopics(List.of(b)).allTopicNames().get().get(b);
                return d.partitions().size() == 6 && d.partitions().stream().allMatch(p -> p.leader() != null && !p.leader().isEmpty());
            });
            TopicDescription byName = admin.describeTopics(List.of(b)).allTopicNames().get().get(b);
            TopicDescription byId = admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(byName.topicId()))).allTopicIds().get().get(byName.topicId());
            check(byId.name().equals(b), "by id: " + byId);

            fill(job, b, 6, 20);
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>(), earliest = new HashMap<>(), stamped = new HashMap<>(), byTime = new HashMap<>();
            Map<TopicPartition, RecordsToDelete> delete = new HashMap<>();
            for (int i = 0; i < 6; i++) {
                TopicPartition tp = new TopicPartition(b, i);
                latest.put(tp, OffsetSpec.latest());
                earliest.put(tp, OffsetSpec.earliest());
                stamped.put(tp, OffsetSpec.maxTimestamp());
                byTime.put(tp, OffsetSpec.forTimestamp(1000L + 60));
                delete.put(tp, RecordsToDelete.beforeOffset(5 + i));
            }
            admin.listOffsets(latest).all().get().forEach((tp, o) -> check(o.offset() == 20, "latest of " + tp + ": " + o.offset()));
            admin.listOffsets(stamped).all().get().forEach((tp, o) -> check(o.offset() == 19, "max timestamp of " + tp + ": " + o.offset()));
            admin.listOffsets(byTime).all().get().forEach((tp, o) -> check(o.offset() == 10, "by time of " + tp + ": " + o.offset()));
            for (var d : admin.deleteRecords(delete).lowWatermarks().entrySet())
                check(d.getValue().get().lowWatermark() == 5 + d.getKey().partition(), "low watermark of " + d.getKey());
            admin.listOffsets(earliest).all().get().forEach((tp, o) -> check(o.offset() == 5 + tp.partition(), "earliest of " + tp + ": " + o.offset()));
            admin.deleteTopics(List.of(a)).all().get();
            admin.deleteTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(byName.topicId()))).all().get();
            until(job, "topics gone", () -> {
                var names = admin.listTopics().names().get();
                return !names.contains(a) && !names.contains(b);
            });
        }
        return Job.pairs("texts", texts);
    }

    private static Map<String, Object> configs(Job job) throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, job.text("topic"));
        try (Admin admin = Admin.create(job.client())) {
            admin.createTopics(List.of(new NewTopic(topic.name(), 1, (short) 3))).all().get();
            until(job, "topic listed", () -> admin.listTopics().names().get().contains(topic.name()));
            for (int i = 1; i <= 3; i++) {
                String value = String.valueOf(1_000_000L * i);
                admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", value), AlterConfigOp.OpType.SET)))).all().get();
                until(job, "retention.ms is " + value, () -> admin.describeConfigs(List.of(topic)).all().get().get(topic).get("retention.ms").value().equals(value));
            }
            admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", null), AlterConfigOp.OpType.DELETE)))).all().get();
            until(job, "retention.ms is a default again", () -> admin.describeConfigs(List.of(topic)).all().get().get(topic).get("retention.ms").isDefault());
            ConfigResource missing = new ConfigResource(ConfigResource.Type.TOPIC, topic.name() + "-not");
            Throwable e = failure(() -> admin.describeConfigs(List.of(missing)).all().get());
            check(e instanceof UnknownTopicOrPartitionException, "configs of what is not there: " + e);
            Node node = admin.describeCluster().nodes().get().iterator().next();
            ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node.idString());
            Map<String, String> shown = new TreeMap<>();
            admin.describeConfigs(List.of(broker)).all().get().get(broker).entries().forEach(c -> shown.put(c.name(), c.value()));
            admin.deleteTopics(List.of(topic.name())).all().get();
            return Job.pairs("broker", shown);
        }
    }

    private static Map<String, Object> groups(Job job) throws Exception {
        String topic = job.text("topic");
        int many = job.number("groups", 12);
        List<String> names = new ArrayList<>();
        for (int i = 0; i < many; i++)
            names.add(job.text("group") + "-" + i);
        try (Admin admin = Admin.create(job.client())) {
            for (String group : names)
                admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(7))).all().get();
            until(job, "groups listed", () -> admin.listGroups().all().get().stream().map(GroupListing::groupId).toList().containsAll(names));
            Map<String, org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec> all = new HashMap<>();
            names.forEach(g -> all.put(g, new org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec()));
            var offsets = admin.listConsumerGroupOffsets(all).all().get();
            names.forEach(g -> check(offsets.get(g).get(new TopicPartition(topic, 0)).offset() == 7, "offsets of " + g + ": " + offsets.get(g)));

            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
                    job.client("group.id", names.get(0), "auto.offset.reset", "earliest", "client.id", "looked-at"), new StringDeserializer(), new StringDeserializer())) {
                consumer.subscribe(List.of(topic));
                until(job, "an assignment", () -> {
                    consumer.poll(Duration.ofMillis(100));
                    return !consumer.assignment().isEmpty();
                });
                Map<String, ConsumerGroupDescription> described = admin.describeConsumerGroups(names).all().get();
                check(described.size() == many, "described " + described.keySet());
                ConsumerGroupDescription first = described.get(names.get(0));
                check(first.members().size() == 1 && first.members().iterator().next().assignment().topicPartitions().equals(consumer.assignment()), "members: " + first);
                check(first.coordinator() != null && !first.coordinator().isEmpty(), "no coordinator: " + first);
            }
            admin.deleteConsumerGroupOffsets(names.get(1), java.util.Set.of(new TopicPartition(topic, 0))).all().get();
            var left = admin.listConsumerGroupOffsets(names.get(1)).partitionsToOffsetAndMetadata().get();
            check(left.get(new TopicPartition(topic, 0)) == null, "offsets left: " + left);
            until(job, "the group is empty", () -> failure(() -> admin.deleteConsumerGroups(List.of(names.get(0))).all().get()) == null);
            admin.deleteConsumerGroups(names.subList(2, many)).all().get();
            Collection<GroupListing> after = admin.listGroups().all().get();
            check(after.stream().map(GroupListing::groupId).noneMatch(names.subList(2, many)::contains), "groups left: " + after);
        }
        return null;
    }

    private static Map<String, Object> cluster(Job job) throws Exception {
        try (Admin admin = Admin.create(job.client())) {
            var c = admin.describeCluster();
            List<Object> nodes = new ArrayList<>();
            for (Node n : c.nodes().get())
                nodes.add(Job.pairs("id", n.id(), "host", n.host(), "port", n.port(), "rack", n.rack()));
            List<Integer> ids = c.nodes().get().stream().map(Node::id).toList();
            Map<String, Object> dirs = new TreeMap<>();
            admin.describeLogDirs(ids).allDescriptions().get().forEach((id, map) -> dirs.put(String.valueOf(id),
                map.entrySet().stream().map(e -> Job.pairs("dir", e.getKey(), "replicas", e.getValue().replicaInfos().size(),
                    "total", e.getValue().totalBytes().isPresent())).toList()));
            TopicDescription d = admin.describeTopics(List.of(job.text("topic"))).allTopicNames().get().get(job.text("topic"));
            List<Object> leaders = new ArrayList<>();
            d.partitions().forEach(p -> leaders.add(Job.pairs("leader", p.leader().id(), "port", p.leader().port(), "host", p.leader().host(),
                "replicas", p.replicas().stream().map(Node::id).toList(), "isr", p.isr().stream().map(Node::id).toList())));
            return Job.pairs("nodes", nodes, "cluster_id", c.clusterId().get(), "controller", c.controller().get().id(), "dirs", dirs, "partitions", leaders);
        }
    }

    private static Map<String, Object> transactions(Job job) throws Exception {
        String topic = job.text("topic"), id = job.text("producer");
        try (Admin admin = Admin.create(job.client());
             KafkaProducer<String, String> producer = new KafkaProducer<>(job.client("transactional.id", id), new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
            Collection<TransactionListing> open = admin.listTransactions().all().get();
            check(open.stream().anyMatch(t -> t.transactionalId().equals(id)), "not listed: " + open);
            var d = admin.describeTransactions(List.of(id)).description(id).get();
            check(d.topicPartitions().contains(new TopicPartition(topic, 0)), "described: " + d);
            var producers = admin.describeProducers(List.of(new TopicPartition(topic, 0))).partitionResult(new TopicPartition(topic, 0)).get();
            check(producers.activeProducers().stream().anyMatch(p -> p.producerId() == d.producerId()), "producers: " + producers.activeProducers());
            admin.fenceProducers(List.of(id)).all().get();
            Throwable e = null;
            try {
                producer.commitTransaction();
            } catch (RuntimeException x) {
                e = x;
            }
            check(e != null, "a fenced producer commits");
            return Job.pairs("coordinator", d.coordinatorId(), "error", e.toString());
        }
    }

    /** What only the cluster's operator may do: every call must be refused, and these are the errors. */
    private static Map<String, Object> refused(Job job) throws Exception {
        TopicPartition tp = new TopicPartition(job.text("topic"), 0);
        Map<String, Object> errors = new TreeMap<>();
        Map<String, Callable<?>> calls = new TreeMap<>();
        try (Admin admin = Admin.create(job.client("default.api.timeout.ms", "30000", "request.timeout.ms", "15000"))) {
            calls.put("electLeaders", () -> admin.electLeaders(ElectionType.PREFERRED, java.util.Set.of(tp)).all().get());
            calls.put("reassign", () -> admin.alterPartitionReassignments(Map.of(tp, Optional.of(new NewPartitionReassignment(List.of(0))))).all().get());
            calls.put("unregister", () -> admin.unregisterBroker(0).all().get());
            calls.put("quorum", () -> admin.describeMetadataQuorum().quorumInfo().get());
            calls.put("scram", () -> admin.describeUserScramCredentials().all().get());
            for (Map.Entry<String, Callable<?>> call : calls.entrySet()) {
                Throwable e = failure(call.getValue());
                errors.put(call.getKey(), e == null ? "allowed" : e.getClass().getSimpleName());
            }
        }
        return errors;
    }
}
