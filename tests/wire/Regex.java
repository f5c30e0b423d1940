// SPDX-License-Identifier: Apache-2.0

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

/**
 * A tenant's regular expressions as brokers see them: random ones, made of what is hard, go through weir's mapping and
 * are held against RE2/J, which brokers use (KIP-848).
 *
 * <p>Each must be refused if and only if it is none by itself; and what has become of it fits no name without the
 * prefix, and behind the prefix what the client's own fits.
 */
public final class Regex {
    private static final String[] PIECES = {
        "a", "b", "-", ".", "x", "o", "(", "(", ")", ")", "|", "|", "*", "+", "?", ".*", ".+", "[", "]", "[^", "[a-b]", "[)]",
        "[(]", "[]", "[[:alpha:]]", "[[:", ":]", "\\", "\\Q", "\\E", "\\)", "\\(", "\\A", "\\z", "\\b", "\\B", "\\d", "\\pL",
        "\\x41", "\\x{41}", "^", "$", "(?:", "(?i)", "(?i:", "(?P<n>", "(?<n>", "(?s-i)", "(?", "?:", "{2}", "{1,", "}", "{",
        "a\\.", "\\\\", "é", "x)|(.*", "(?=", "(?!", "\\1", "\n", "&&", "#",
    };
    private static final String[] NAMES = {
        "", "a", "b", "aa", "ab", "ba", "x", "-", "a-b", "a.b", "o", "xo", "A", "aab", "abx", "a.a", "b.a", "orders",
    };

    private static Pattern compile(String text) {
        try {
            return Pattern.compile(text);
        } catch (PatternSyntaxException e) {
            return null;
        }
    }

    private static String random(Random dice) {
        StringBuilder s = new StringBuilder();
        for (int n = dice.nextInt(9); n >= 0; n--) {
            s.append(PIECES[dice.nextInt(PIECES.length)]);
        }
        return s.toString();
    }

    private static String unhex(String s) {
        return new String(HexFormat.of().parseHex(s), StandardCharsets.UTF_8);
    }

    /** What is wrong, or null. */
    private static String judge(String said, String line) {
        Pattern alone = compile(said);
        if (line.equals("-")) {
            return alone == null ? null : "a good one is refused";
        }
        String[] parts = line.split(" ", -1);
        String made = unhex(parts[0]);
        Pattern behind = compile(made);
        if (alone == null) {
            return behind == null ? null : "a bad one has become " + made;
        }
        if (behind == null) {
            return "a good one has become a bad one, " + made;
        }
        boolean anchored = said.contains("^") || said.contains("\\A");
        for (String name : NAMES) {
            for (String other : new String[] {name, "b." + name, "a" + name, "aa." + name, "." + name}) {
                if (!other.startsWith("a.") && behind.matcher(other).matches()) {
                    return made + " fits " + other;
                }
            }
            boolean fits = behind.matcher("a." + name).matches();
            // An anchor in an odd place fits less, never more.
            if (fits != alone.matcher(name).matches() && (fits || !anchored)) {
                return made + (fits ? " fits " : " does not fit ") + name;
            }
        }
        String shown = unhex(parts[1]);
        if (!shown.equals(said) && !shown.equals(said + "\\E") && !said.contains("(?:^)?")) {
            return "it is shown as " + shown;
        }
        return null;
    }

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[1]);
        Random dice = new Random(Long.parseLong(args[2]));
        List<String> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(random(dice));
        }
        Process weir = new ProcessBuilder(args[0]).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Thread writer = new Thread(() -> {
            try (var out = weir.getOutputStream()) {
                for (String s : all) {
                    out.write((HexFormat.of().formatHex(s.getBytes(StandardCharsets.UTF_8)) + "\n").getBytes(StandardCharsets.US_ASCII));
                }
            } catch (java.io.IOException e) {
                System.err.println(e);
            }
        });
        writer.start();
        int failed = 0;
        int good = 0;
        try (var in = new BufferedReader(new InputStreamReader(weir.getInputStream(), StandardCharsets.US_ASCII))) {
            for (String said : all) {
                String line = in.readLine();
                String wrong = line == null ? "no answer" : judge(said, line);
                good += compile(said) != null ? 1 : 0;
                if (wrong != null && failed++ < 20) {
                    System.out.println("\"" + said.replace("\n", "\\n") + "\": " + wrong);
                }
            }
        }
        // Both kinds must have been seen.
        if (good < count / 20 || good > count * 19 / 20) {
            System.out.println(good + " of " + count + " were good ones");
            failed++;
        }
        System.out.println(count + " expressions, seed " + args[2] + ", " + good + " of them good");
        System.out.println((failed == 0 ? 1 : 0) + " passed, " + failed + " failed");
    }
}
