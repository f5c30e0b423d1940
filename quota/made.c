/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/made.h"

#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

struct made {
	int64_t		 at_us;
	int32_t		 partitions;
	enum made_class	 class;
};

static const enum quota_dimension dimensions[2] = {
	[MADE_PLAIN] = QUOTA_DIM_PARTITIONS,
	[MADE_COMPACTED] = QUOTA_DIM_COMPACTED_PARTITIONS,
};

/* How many there will be beyond what is seen; 0: all are. What is seen and of
 * no known class counts as `else_class`. */
static int32_t
beyond(const struct made_topic *t, struct slice name, int32_t partitions,
    enum made_class class, enum made_class else_class)
{
	enum made_class was = MADE_UNKNOWN;
	int32_t have = t->seen(t->arg, name, &was);

	if (was == MADE_UNKNOWN)
		was = else_class;
	/* It moves from one class to the other, as a whole. */
	if (have > 0 && was != class)
		return partitions > have ? partitions : have;
	return partitions > have ? partitions - have : 0;
}

/* What others are on their way, by class; with the account's lock held. */
struct pending {
	const struct made_topic	*t;
	int64_t			 now_us;
	int64_t			 n[2];
	struct slice		*gone;
	uint32_t		 gone_n;
};

/* All of it is seen, or nobody will see it any more. */
static bool
is_over(const struct pending *p, struct slice name, const struct made *m)
{
	enum made_class was = MADE_UNKNOWN;
	int32_t have = p->t->seen(p->t->arg, name, &was);

	return (have >= m->partitions && was == m->class) ||
	    p->now_us - m->at_us > (int64_t)MADE_KEPT_MS * 1000;
}

static bool
look_at(void *arg, struct slice name, void *value)
{
	struct pending *p = arg;
	const struct made *m = value;

	if (is_over(p, name, m))
		p->gone[p->gone_n++] = name;
	else if (!slice_eq(name, p->t->name))
		p->n[m->class] += beyond(p->t, name, m->partitions, m->class,
		    m->class);
	return true;
}

static void
look(struct quota_account *a, struct pending *p)
{
	size_t n = htab_count(a->made_topics);

	if (n == 0)
		return;
	p->gone = mem_alloc(n * sizeof(*p->gone));
	htab_each(a->made_topics, look_at, p);
	/* The key is the table's, and goes with it. */
	for (uint32_t i = 0; i < p->gone_n; i++)
		free(htab_take(a->made_topics, p->gone[i]));
	free(p->gone);
}

static void
note(struct quota_account *a, struct made_topic *t, int64_t now_us)
{
	struct made *m, *was;

	if (htab_count(a->made_topics) >= MADE_TOPICS_MAX)
		return;
	m = mem_alloc(sizeof(*m));
	*m = (struct made){ now_us, t->partitions, t->class };
	was = htab_set(a->made_topics, t->name, m);
	t->noted = was == NULL;
	free(was);
}

static bool
judge(const struct quota_who *w, struct made_topic *t,
    const struct pending *p, int64_t now_us, struct quota_reason *why)
{
	enum quota_dimension d = dimensions[t->class];
	const struct made *was = htab_get(w->account->made_topics, t->name);
	int64_t more = beyond(t, t->name, t->partitions, t->class,
	    was != NULL ? was->class : MADE_PLAIN);
	int64_t n = t->there[t->class] + p->n[t->class], most;

	if (more <= 0)
		return true;
	most = quota_size_limit(w, d, n + more, now_us, why);
	if (most >= 0 && n + more > most)
		return false;
	note(w->account, t, now_us);
	quota_show_count(w->account, d, n + more);
	return true;
}

bool
quota_made(const struct quota_who *w, struct made_topic *t,
    int64_t now_us, struct quota_reason *why)
{
	struct quota_account *a = w->account;
	struct pending p = { .t = t, .now_us = now_us };
	bool may;

	t->noted = false;
	pthread_mutex_lock(&a->made_lock);
	look(a, &p);
	may = judge(w, t, &p, now_us, why);
	pthread_mutex_unlock(&a->made_lock);
	return may;
}

void
quota_unmade(const struct quota_who *w, struct slice name)
{
	struct quota_account *a = w->account;

	pthread_mutex_lock(&a->made_lock);
	free(htab_take(a->made_topics, name));
	pthread_mutex_unlock(&a->made_lock);
}

enum made_class
quota_made_class(const struct quota_who *w, struct slice name,
    int32_t *partitions)
{
	struct quota_account *a = w->account;
	const struct made *m;
	enum made_class class = MADE_PLAIN;

	pthread_mutex_lock(&a->made_lock);
	m = htab_get(a->made_topics, name);
	if (m != NULL)
		class = m->class;
	if (partitions != NULL)
		*partitions = m != NULL ? m->partitions : 0;
	pthread_mutex_unlock(&a->made_lock);
	return class;
}
