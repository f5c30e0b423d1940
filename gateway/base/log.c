/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is put together on the stack and leaves with one write(2), outside the
 * lock; the lock guards the table of repeats only. The descriptor of a log file
 * is never closed: reopening puts the new file behind the same number, so a
 * writer on another thread cannot hit a closed one.
 */
#include "gateway/base/log.h"

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"

enum {
	PAIRS_MAX = 2048,	/* what one event has to say */
	LINE_MAX = 8192,	/* that as JSON, with room to spare */
	REPEAT_SLOTS = 64,
	WINDOW_US = 1000000,
};

struct line {
	char		 text[LINE_MAX];
	size_t		 len;
};

/* One sentence within its current second. */
struct repeat {
	const char	*what;		/* compared as text */
	enum log_level	 level;
	int64_t		 since_us;
	unsigned	 count;
};

static atomic_int least_level = LOG_INFO;
static atomic_int line_format = LOG_TEXT;
static atomic_int log_fd = STDERR_FILENO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_SLOTS];

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void
log_setup(enum log_level least, enum log_format format)
{
	atomic_store(&least_level, (int)least);
	atomic_store(&line_format, (int)format);
}

bool
log_to_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	int old = atomic_load(&log_fd);

	if (fd < 0)
		return false;
	if (old == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return true;
	}
	old = dup3(fd, old, O_CLOEXEC);
	close(fd);
	return old >= 0;
}

bool
log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&least_level,
	    memory_order_relaxed);
}

const char *
log_quote(struct slice s, struct log_quoted *to)
{
	static const char hex[] = "0123456789abcdef";
	const size_t room = sizeof(to->text) - 6; /* one escape is kept free */
	size_t n = 0;
	uint32_t i;

	to->text[n++] = '"';
	for (i = 0; i < s.len && i < LOG_VALUE_MAX && n < room - 6; i++) {
		uint8_t c = s.data[i];

		if (c == '"' || c == '\\')
			to->text[n++] = '\\';
		if (c >= ' ' && c < 0x7f) {
			to->text[n++] = (char)c;
			continue;
		}
		memcpy(to->text + n, "\\u00", 4);
		to->text[n + 4] = hex[c >> 4];
		to->text[n + 5] = hex[c & 15];
		n += 6;
	}
	memcpy(to->text + n, i < s.len ? "...\"" : "\"", i < s.len ? 5 : 2);
	return to->text;
}

static void
put(struct line *l, const char *s, size_t len)
{
	if (len > sizeof(l->text) - 1 - l->len)
		len = sizeof(l->text) - 1 - l->len;
	memcpy(l->text + l->len, s, len);
	l->len += len;
}

static void
puts_on(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* A bare value as JSON: a number or word of its own, or a string. */
static void
put_json_bare(struct line *l, const char *s, size_t len)
{
	struct log_quoted q;
	size_t digits = len > 0 && s[0] == '-';
	bool number = len > digits && len < 18 &&
	    (s[digits] != '0' || len == digits + 1);

	for (size_t i = digits; i < len; i++)
		number = number && isdigit((unsigned char)s[i]);
	if (number || (len == 4 && memcmp(s, "true", 4) == 0) ||
	    (len == 5 && memcmp(s, "false", 5) == 0))
		put(l, s, len);
	else
		puts_on(l, log_quote((struct slice){ (const uint8_t *)s,
		    (uint32_t)len }, &q));
}

/* The length of the value at s: a quoted string or up to the next space. */
static size_t
value_length(const char *s)
{
	size_t n = 1;

	if (s[0] != '"')
		return strcspn(s, " ");
	while (s[n] != '\0' && s[n] != '"')
		n += s[n] == '\\' && s[n + 1] != '\0' ? 2 : 1;
	return s[n] == '"' ? n + 1 : n;
}

/* What log_quote made; a quoted text of other origin may not be JSON. */
static bool
is_json_string(const char *s, size_t len)
{
	if (len < 2 || s[0] != '"' || s[len - 1] != '"')
		return false;
	for (size_t i = 1; i < len - 1; i++) {
		if ((unsigned char)s[i] >= 0x7f)
			return false;
		if (s[i] != '\\')
			continue;
		if (++i == len - 1)
			return false;
		if (s[i] == 'u' && strspn(s + i + 1,
		    "0123456789abcdefABCDEF") >= 4)
			i += 4;
		else if (s[i] != '"' && s[i] != '\\')
			return false;
	}
	return true;
}

static void
put_json_key(struct line *l, const char *s, size_t len)
{
	puts_on(l, ",\"");
	for (size_t i = 0; i < len; i++)
		put(l, isalnum((unsigned char)s[i]) || s[i] == '.' ? &s[i] :
		    "_", 1);
	puts_on(l, "\":");
}

/* key=value key="value" ... as members of a JSON object. */
static void
put_json_pairs(struct line *l, const char *s)
{
	size_t n;

	while (*(s += strspn(s, " ")) != '\0') {
		n = strcspn(s, "= ");
		put_json_key(l, s, n);
		s += n;
		if (*s != '=') {
			puts_on(l, "true");
			continue;
		}
		n = value_length(++s);
		if (is_json_string(s, n))
			put(l, s, n);
		else
			put_json_bare(l, s, n);
		s += n;
	}
}

static void
write_line(enum log_level level, const char *what, const char *pairs)
{
	struct line l = { .len = 0 };
	bool json = atomic_load(&line_format) == LOG_JSON;
	int64_t ms = clock_wall_ms();
	time_t seconds = (time_t)(ms / 1000);
	char when[64], head[512];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(head, sizeof(head), json ?
	    "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"what\":\"%s\"" :
	    "time=%s.%03dZ level=%s what=\"%s\"", when, (int)(ms % 1000),
	    level_names[level], what);
	puts_on(&l, head);
	if (json) {
		put_json_pairs(&l, pairs);
		puts_on(&l, "}");
	} else if (pairs[0] != '\0') {
		puts_on(&l, " ");
		puts_on(&l, pairs);
	}
	l.text[l.len++] = '\n';
	if (write(atomic_load(&log_fd), l.text, l.len) < 0)
		return;		/* nowhere left to say so */
}

static void
write_repeats(const struct repeat *r)
{
	char pairs[64];

	snprintf(pairs, sizeof(pairs), "repeated=%u", r->count - LOG_BURST);
	write_line(r->level, r->what, pairs);
}

/* Takes out one sentence whose second is over, if it was throttled. */
static bool
take_due(int64_t now, struct repeat *to)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < REPEAT_SLOTS && !found; i++) {
		struct repeat *r = &repeats[i];

		if (r->what == NULL || now - r->since_us < WINDOW_US)
			continue;
		found = r->count > LOG_BURST;
		*to = *r;
		r->what = NULL;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

void
log_tick(void)
{
	struct repeat r;

	while (take_due(clock_now_us(), &r))
		write_repeats(&r);
}

/* Counts the sentence; false: it was said often enough in this second. */
static bool
may_say(enum log_level level, const char *what)
{
	struct repeat *r = NULL;
	bool ok = true;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < REPEAT_SLOTS; i++) {
		if (repeats[i].what == NULL) {
			r = r != NULL ? r : &repeats[i];
		} else if (strcmp(repeats[i].what, what) == 0) {
			r = &repeats[i];
			break;
		}
	}
	if (r != NULL && r->what == NULL)
		*r = (struct repeat){ what, level, clock_now_us(), 0 };
	if (r != NULL)
		ok = ++r->count <= LOG_BURST;
	pthread_mutex_unlock(&lock);
	return ok;
}

void
log_write(enum log_level level, const char *what, const char *fmt, ...)
{
	char pairs[PAIRS_MAX];
	va_list ap;

	if (!log_wants(level))
		return;
	log_tick();
	if (!may_say(level, what))
		return;
	va_start(ap, fmt);
	vsnprintf(pairs, sizeof(pairs), fmt, ap);
	va_end(ap);
	for (char *p = pairs; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';	/* no value forges a line */
	}
	write_line(level, what, pairs);
}
