import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What the tests themselves do to topics: the operator's hand. */
final class Topics {
    static void register() {
        Driver.add("create", Topics::create);
        Driver.add("delete", Topics::delete);
        Driver.add("move_leaders", Topics::moveLeaders);
        Driver.add("features", Topics::features);
        Driver.add("await_records", Topics::awaitRecords);
    }

    private static Map<String, Object> create(Job job) throws Exception {
        try (Admin admin = Admin.create(job.client())) {
            List<NewTopic> topics = new ArrayList<>();
            for (String name : job.texts("topic"))
                topics.add(new NewTopic(name, Optional.of(job.number("partitions", 6)), Optional.empty()));
            admin.createTopics(topics).all().get();
            long deadline = System.nanoTime() + 30_000_000_000L;
            while (!ready(admin, job.texts("topic"), job.number("partitions", 6))) {
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException("topics without leaders");
                job.waitStop(50);
            }
        }
        return null;
    }

    private static boolean ready(Admin admin, List<String> names, int partitions) throws Exception {
        try {
            for (TopicDescription d : admin.describeTopics(names).allTopicNames().get().values())
                if (d.partitions().size() != partitions || d.partitions().stream().anyMatch(p -> p.leader() == null || p.leader().isEmpty()))
                    return false;
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException)
                return false;
            throw e;
        }
    }

    /** Waits until "topic" is there and holds "count" records; what its partitions hold. */
    private static Map<String, Object> awaitRecords(Job job) throws Exception {
        String topic = job.text("topic");
        long deadline = System.nanoTime() + job.number("seconds", 110) * 1_000_000_000L;
        try (Admin admin = Admin.create(job.client())) {
            for (;;) {
                Map<String, Object> held = held(admin, topic);
                long sum = held.values().stream().mapToLong(n -> (Long) n).sum();
                if (sum >= job.number("count", 1))
                    return held;
                if (System.nanoTime() > deadline || job.stopping())
                    throw new IllegalStateException(topic + " holds " + sum + " records: " + held);
                job.waitStop(200);
            }
        }
    }

    private static Map<String, Object> held(Admin admin, String topic) throws Exception {
        Map<String, Object> held = new TreeMap<>();
        try {
            Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
            for (TopicPartitionInfo p : admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions())
                asked.put(new TopicPartition(topic, p.partition()), OffsetSpec.latest());
            admin.listOffsets(asked).all().get().forEach((tp, end) -> held.put(String.valueOf(tp.partition()), end.offset()));
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof UnknownTopicOrPartitionException))
                throw e;
        }
        return held;
    }

    private static Map<String, Object> delete(Job job) throws Exception {
        try (Admin admin = Admin.create(job.client())) {
            for (int tries = 0; ; tries++) {
                try {
                    admin.deleteTopics(job.texts("topic")).all().get();
                    return null;
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof UnknownTopicOrPartitionException) || tries == 100)
                        throw e;
                    job.waitStop(100);
                }
            }
        }
    }

    /** Each partition of the topic gets its next replica as leader. */
    private static Map<String, Object> moveLeaders(Job job) throws Exception {
        String topic = job.text("topic");
        try (Admin admin = Admin.create(job.client())) {
            TopicDescription before = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            Map<TopicPartition, Optional<NewPartitionReassignment>> order = new java.util.HashMap<>();
            for (TopicPartitionInfo p : before.partitions()) {
                List<Integer> ids = new ArrayList<>(p.replicas().stream().map(Node::id).toList());
                int at = ids.indexOf(p.leader().id());
                Collections.rotate(ids, -(at + 1));
                order.put(new TopicPartition(topic, p.partition()), Optional.of(new NewPartitionReassignment(ids)));
            }
            admin.alterPartitionReassignments(order).all().get();
            while (!admin.listPartitionReassignments(order.keySet()).reassignments().get().isEmpty())
                job.waitStop(50);
            try {
                admin.electLeaders(ElectionType.PREFERRED, order.keySet()).all().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof ElectionNotNeededException))
                    throw e;
            }
            long deadline = System.nanoTime() + 30_000_000_000L;
            while (!moved(before, admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic))) {
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException("leaders did not move: " + before);
                job.waitStop(50);
            }
        }
        return null;
    }

    private static boolean moved(TopicDescription before, TopicDescription after) {
        for (int i = 0; i < before.partitions().size(); i++) {
            Node now = after.partitions().get(i).leader();
            if (now == null || now.isEmpty() || now.id() == before.partitions().get(i).leader().id())
                return false;
        }
        return true;
    }

    private static Map<String, Object> features(Job job) throws Exception {
        try (Admin admin = Admin.create(job.client())) {
            Map<String, Object> levels = new java.util.TreeMap<>();
            admin.describeFeatures().featureMetadata().get().finalizedFeatures().forEach((k, v) -> levels.put(k, v.maxVersionLevel()));
            return levels;
        }
    }
}
