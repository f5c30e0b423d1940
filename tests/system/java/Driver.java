import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Many client scenarios in one JVM. Reads lines "ID NAME JSON" and runs each in a thread of its own;
 * "ID stop" asks one to end. Writes lines "ID event|ok|fail JSON".
 */
public final class Driver {
    interface Scenario {
        Map<String, Object> run(Job job) throws Exception;
    }

    static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Scenario> SCENARIOS = new TreeMap<>();
    private static final Map<String, Job> JOBS = new ConcurrentHashMap<>();
    private static PrintStream out;

    static void add(String name, Scenario scenario) {
        SCENARIOS.put(name, scenario);
    }

    static synchronized void say(String id, String kind, Map<String, Object> what) {
        try {
            out.println(id + " " + kind + " " + JSON.writeValueAsString(what));
            out.flush();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static void work(Job job, Scenario scenario) {
        try {
            Map<String, Object> result = scenario.run(job);
            say(job.id, "ok", result == null ? Map.of() : result);
        } catch (Throwable e) {
            StringWriter trace = new StringWriter();
            e.printStackTrace(new PrintWriter(trace));
            Map<String, Object> what = new LinkedHashMap<>();
            what.put("error", String.valueOf(e));
            what.put("trace", trace.toString());
            say(job.id, "fail", what);
        } finally {
            JOBS.remove(job.id);
        }
    }

    public static void main(String[] args) throws Exception {
        out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        System.setOut(System.err);
        Producing.register();
        Transactions.register();
        Consuming.register();
        Sharing.register();
        Streaming.register();
        Records.register();
        Topics.register();
        Admins.register();
        Tools.register();
        Connecting.register();

        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split(" ", 3);
            if (parts[1].equals("stop")) {
                Job job = JOBS.get(parts[0]);
                if (job != null)
                    job.stop();
                continue;
            }
            Map<String, Object> given = JSON.readValue(parts[2], new TypeReference<>() {});
            Job job = new Job(parts[0], given);
            Scenario scenario = SCENARIOS.get(parts[1]);
            if (scenario == null) {
                say(job.id, "fail", Map.of("error", "no such scenario: " + parts[1], "trace", ""));
                continue;
            }
            JOBS.put(job.id, job);
            Thread thread = new Thread(() -> work(job, scenario), parts[1] + "-" + job.id);
            thread.setDaemon(true);
            thread.start();
        }
        System.exit(0);
    }
}
