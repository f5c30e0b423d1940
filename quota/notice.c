/* SPDX-License-Identifier: Apache-2.0 */
/* What the log is told of limits: the first time that one holds somebody up, a
 * summary while it goes on, the end; and when one is nearly reached. */
#include <stdio.h>

#include "gateway/base/log.h"
#include "quota/quota_private.h"

enum { SUMMARY_MS = 60000 };

static void
whose(const struct quota_row *r, const char *tenant, char *to, size_t size)
{
	struct log_quoted a, b, c;
	const char *principal = r->principal != NULL ? r->principal : "";
	const char *client = r->client_id != NULL ? r->client_id : "";
	char part[16] = "";

	if (r->partition >= 0)
		snprintf(part, sizeof(part), "%d", (int)r->partition);
	snprintf(to, size, "tenant=%s limit=%s scope=%s mode=%s value=%lld%s%s"
	    "%s%s%s%s%s%s", tenant, quota_dimension(r->dimension)->word,
	    quota_scope_word(r->scope), quota_mode_word(r->mode),
	    (long long)r->value,
	    *principal != '\0' ? " principal=" : "", *principal != '\0' ?
	    log_quote(slice_of(principal), &a) : "",
	    *client != '\0' ? " client_id=" : "", *client != '\0' ?
	    log_quote(slice_of(client), &b) : "",
	    r->topic != NULL ? " topic=" : "", r->topic != NULL ?
	    log_quote(slice_of(r->topic), &c) : "",
	    *part != '\0' ? " partition=" : "", part);
}

static double
seconds(int64_t us)
{
	return (double)us / 1e6;
}

static void
notice_record(const char *tenant, const struct quota_row *r, int64_t now_us)
{
	struct quota_record *rec = r->record;
	uint64_t times = atomic_load(&rec->times);
	int64_t last = atomic_load(&rec->last_us);
	bool over = now_us - last > QUOTA_EPISODE_MS * 1000;
	char text[2048];

	if (last == 0 || (rec->told_us == 0 && times == rec->told_times))
		return;
	if (rec->told_us != 0 && !over &&
	    now_us - rec->told_us < SUMMARY_MS * 1000)
		return;
	whose(r, tenant, text, sizeof(text));
	if (rec->told_us == 0)
		log_info("limit reached", "%s", text);
	else
		log_info(over ? "limit no longer reached" :
		    "limit goes on to be reached", "%s times=%llu "
		    "seconds_in_all=%.1f longest=%.1f since=%.0f", text,
		    (unsigned long long)(times - rec->told_times),
		    seconds((int64_t)atomic_load(&rec->us)),
		    seconds(atomic_load(&rec->worst_us)),
		    seconds(now_us - atomic_load(&rec->first_us)));
	rec->told_times = times;
	rec->told_us = over && rec->told_us != 0 ? 0 : now_us;
}

/* Of a rate, what the last second used; of others, what there is. */
static unsigned
percent_used(const struct quota_row *r)
{
	if (r->value <= 0 || r->use <= 0)
		return 0;
	return r->use >= r->value ? 100 :
	    (unsigned)(r->use * 100 / r->value);
}

static void
notice_warning(const char *tenant, const struct quota_row *r)
{
	struct quota_gauge *g = r->gauge;
	unsigned is = percent_used(r), reached = 0;
	char text[2048];

	for (int i = 0; i < LIMIT_WARNINGS_MAX && g->warn[i] != 0; i++)
		if (is >= g->warn[i])
			reached = g->warn[i];
	if (reached > g->warned) {
		whose(r, tenant, text, sizeof(text));
		log_warn("limit nearly reached", "%s use=%lld here=%lld "
		    "percent=%u", text, (long long)r->use, (long long)r->here,
		    is);
	}
	/* A use that goes up and down about a threshold is told once. */
	if (reached > g->warned || is + 10 < g->warned)
		g->warned = (unsigned char)reached;
}

void
quota_notice(const char *tenant, const struct quota_row *r, int64_t now_us)
{
	if (r->record != NULL)
		notice_record(tenant, r, now_us);
	if (r->gauge != NULL)
		notice_warning(tenant, r);
}
