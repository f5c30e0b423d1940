/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log: one line an event, logfmt or JSON, to stderr or a file.
 *
 *	log_info("broker connected", "broker=%d address=%s", id, address);
 *
 * The first argument is a constant sentence (also the key by which repeats are
 * throttled: more than LOG_BURST the same within a second are counted and said
 * in one line); the second is a printf format of key=value pairs. Text that a
 * peer chose goes through log_quote, which escapes and shortens it. Tokens,
 * secrets and record bytes never come here.
 * Thread: any; a line is one write.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>

#include "gateway/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };
enum { LOG_BURST = 10, LOG_VALUE_MAX = 256 };

struct log_quoted {
	char	text[LOG_VALUE_MAX * 2 + 8];
};

void	 log_setup(enum log_level least, enum log_format format);
/* Appends to this file instead of stderr; reopened when called again. */
bool	 log_to_file(const char *path);
bool	 log_wants(enum log_level level);
void	 log_write(enum log_level level, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Says which repeats were left out in the seconds that are over. Every line
 * that is written does so too; call it once a second for a quiet process. */
void	 log_tick(void);
/* "text" in double quotes with control bytes escaped, at most LOG_VALUE_MAX
 * bytes of it; for printf("%s", log_quote(s, &q)). */
const char *log_quote(struct slice s, struct log_quoted *to);

#define log_debug(...) do { \
	if (log_wants(LOG_DEBUG)) log_write(LOG_DEBUG, __VA_ARGS__); \
} while (0)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
