import java.util.HashMap;
import java.util.Map;

/** The longest time that any one partition was without a sign of life. */
final class Gaps {
    private final Map<String, Long> last = new HashMap<>();
    private long longest;

    synchronized void seen(String place) {
        long now = System.nanoTime();
        Long before = last.put(place, now);
        if (before != null)
            longest = Math.max(longest, now - before);
    }

    synchronized long longestMs() {
        return longest / 1_000_000;
    }
}
