import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.mirror.MirrorMaker;
import org.apache.kafka.connect.runtime.Connect;

/** Workers of Kafka Connect in distributed mode, and MirrorMaker 2. */
final class Connecting {
    static void register() {
        Driver.add("connect", Connecting::worker);
        Driver.add("mirror", Connecting::mirror);
    }

    /** The client's properties under each of these prefixes, then what the test said in "settings". */
    private static Map<String, String> settings(Job job, String... prefixes) {
        Map<String, String> p = new HashMap<>();
        for (String prefix : prefixes)
            job.client().forEach((k, v) -> p.put(prefix + k, v.toString()));
        job.map("settings").forEach((k, v) -> p.put(k, v.toString()));
        return p;
    }

    /** One worker, until stopped. */
    private static Map<String, Object> worker(Job job) throws Exception {
        Connect<?> connect = new ConnectDistributed().startConnect(settings(job, "", "producer.", "consumer.", "admin."));
        job.event("started");
        try {
            while (!job.waitStop(1000) && !connect.herderTask().isDone())
                continue;
            if (!job.stopping())
                throw new IllegalStateException("the worker has ended by itself");
        } finally {
            connect.stop();
            connect.awaitStop();
        }
        return null;
    }

    /** From cluster "src" to cluster "dst", both at this job's address, until stopped. */
    private static Map<String, Object> mirror(Job job) throws Exception {
        Map<String, String> p = settings(job, "src.", "dst.");
        p.put("clusters", "src, dst");
        MirrorMaker mirror = new MirrorMaker(p, List.of("dst"));
        mirror.start();
        job.event("started");
        try {
            while (!job.waitStop(1000))
                continue;
        } finally {
            mirror.stop();
            mirror.awaitStop();
        }
        return null;
    }
}
