import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's command line tools in this JVM, several at once: each thread has its own standard input and output, and the end of a tool
 * is that of its scenario.
 */
final class Tools {
    private static final ThreadLocal<Run> CURRENT = new ThreadLocal<>();

    private static final class Run {
        final ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
        final InputStream in;
        final List<Runnable> hooks = new ArrayList<>();
        Ended ended;

        Run(String text) {
            in = new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    /** What a tool's exit() becomes. */
    private static final class Ended extends Error {
        final int status;

        Ended(int status, String message) {
            super(message, null, false, false);
            this.status = status;
        }
    }

    private static PrintStream perThread(Function<Run, OutputStream> which) {
        return new PrintStream(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                which.apply(CURRENT.get()).write(b);
            }

            @Override
            public void write(byte[] b, int from, int length) throws IOException {
                which.apply(CURRENT.get()).write(b, from, length);
            }
        }, true, StandardCharsets.UTF_8);
    }

    /** So that the tools' static counters are each run's own. */
    private static final class Own extends URLClassLoader {
        Own(Class<?> tool) {
            super(new URL[] {tool.getProtectionDomain().getCodeSource().getLocation()}, tool.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("org.apache.kafka.tools."))
                return super.loadClass(name, resolve);
            Class<?> found = findLoadedClass(name);
            if (found != null)
                return found;
            try {
                return findClass(name);
            } catch (ClassNotFoundException e) {  // of another archive
                return super.loadClass(name, resolve);
            }
        }
    }

    static void register() {
        PrintStream out = System.out, err = System.err;
        InputStream commands = System.in;
        System.setOut(perThread(run -> run == null ? out : run.out));
        System.setErr(perThread(run -> run == null ? err : run.err));
        System.setIn(new InputStream() {
            @Override
            public int read() throws IOException {
                Run run = CURRENT.get();
                return (run == null ? commands : run.in).read();
            }

            @Override
            public int read(byte[] b, int from, int length) throws IOException {
                Run run = CURRENT.get();
                return (run == null ? commands : run.in).read(b, from, length);
            }

            @Override
            public int available() throws IOException {
                Run run = CURRENT.get();
                return (run == null ? commands : run.in).available();
            }
        });
        Exit.setExitProcedure((status, message) -> {
            // Some tools catch it, and end again.
            Ended ended = new Ended(status, message);
            Run run = CURRENT.get();
            if (run != null && run.ended == null)
                run.ended = ended;
            throw ended;
        });
        Exit.setShutdownHookAdder((name, hook) -> {
            Run run = CURRENT.get();
            if (run != null)
                run.hooks.add(hook);
            else
                Runtime.getRuntime().addShutdownHook(new Thread(hook, name));
        });
        Driver.add("tool", Tools::tool);
    }

    /** Runs main() of "class" with "args" and "text" as its input. */
    private static Map<String, Object> tool(Job job) throws Exception {
        Run run = new Run(job.text("text", ""));
        CURRENT.set(run);
        Class<?> tool = Class.forName(job.text("class"), false, Tools.class.getClassLoader());
        try (Own own = new Own(tool)) {
            own.loadClass(tool.getName()).getMethod("main", String[].class)
                .invoke(null, (Object) job.texts("args").toArray(String[]::new));
        } catch (InvocationTargetException e) {
            if (run.ended == null)
                throw e;
        } finally {
            run.hooks.forEach(Runnable::run);
            System.out.flush();
            CURRENT.remove();
        }
        return Job.pairs("status", run.ended == null ? 0 : run.ended.status, "said", run.out.toString(StandardCharsets.UTF_8),
            "errors", run.err.toString(StandardCharsets.UTF_8));
    }
}
