import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** One scenario being run: its arguments, its log, and whether it was asked to end. */
final class Job {
    final String id;
    private final Map<String, Object> args;
    private final CountDownLatch stopped = new CountDownLatch(1);

    Job(String id, Map<String, Object> args) {
        this.id = id;
        this.args = args;
    }

    void stop() {
        stopped.countDown();
    }

    boolean stopping() {
        return stopped.getCount() == 0;
    }

    /** True when asked to end within that time. */
    boolean waitStop(long ms) throws InterruptedException {
        return stopped.await(ms, TimeUnit.MILLISECONDS);
    }

    void event(String name, Object... pairs) {
        Map<String, Object> what = new HashMap<>(pairs(pairs));
        what.put("event", name);
        Driver.say(id, "event", what);
    }

    static Map<String, Object> pairs(Object... pairs) {
        Map<String, Object> map = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            map.put((String) pairs[i], pairs[i + 1]);
        return map;
    }

    String text(String name) {
        Object value = args.get(name);
        if (value == null)
            throw new IllegalArgumentException("argument missing: " + name);
        return value.toString();
    }

    String text(String name, String otherwise) {
        Object value = args.get(name);
        return value == null ? otherwise : value.toString();
    }

    int number(String name, int otherwise) {
        Object value = args.get(name);
        return value == null ? otherwise : ((Number) value).intValue();
    }

    boolean flag(String name, boolean otherwise) {
        Object value = args.get(name);
        return value == null ? otherwise : (Boolean) value;
    }

    @SuppressWarnings("unchecked")
    List<String> texts(String name) {
        Object value = args.get(name);
        return value instanceof List ? (List<String>) value : List.of(text(name));
    }

    @SuppressWarnings("unchecked")
    Map<String, Object> map(String name) {
        Object value = args.get(name);
        return value == null ? Map.of() : (Map<String, Object>) value;
    }

    /** Client properties: the bootstrap servers, these pairs, then what the test said in "config". */
    Properties client(String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", text("bootstrap"));
        for (int i = 0; i < pairs.length; i += 2)
            p.put(pairs[i], pairs[i + 1]);
        map("config").forEach((k, v) -> p.put(k, v.toString()));
        return p;
    }

    /** The file that the test's checkers read; one line an operation. */
    Log log() throws IOException {
        return new Log(args.get("log") == null ? null : Path.of(text("log")));
    }

    static final class Log implements AutoCloseable {
        private final BufferedWriter writer;

        Log(Path path) throws IOException {
            writer = path == null ? null : Files.newBufferedWriter(path);
        }

        synchronized void line(Object... words) {
            if (writer == null)
                return;
            try {
                for (int i = 0; i < words.length; i++) {
                    if (i > 0)
                        writer.write(' ');
                    writer.write(String.valueOf(words[i]));
                }
                writer.write('\n');
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        /** So that the test can follow while the scenario runs. */
        synchronized void flush() throws IOException {
            if (writer != null)
                writer.flush();
        }

        @Override
        public synchronized void close() throws IOException {
            if (writer != null)
                writer.close();
        }
    }
}
