/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/made.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

struct made {
	int64_t			 at_us;
	struct made_state	 is;		/* more: in made_more */
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

/* What is on its way, by class; with the account's lock held. */
struct pending {
	const struct made_topic	*t;
	int64_t			 now_us;
	int64_t			*n;
	struct slice		*gone;
	uint32_t		 gone_n;
};

/* All of it is seen, or nobody will see it any more. */
static bool
is_over(const struct pending *p, struct slice name, const struct made *m)
{
	enum made_class was = MADE_UNKNOWN;
	int32_t have = p->t->seen(p->t->arg, name, &was);

	return (have >= m->is.partitions && was == m->is.class) ||
	    p->now_us - m->at_us > (int64_t)MADE_KEPT_MS * 1000;
}

static bool
look_at(void *arg, struct slice name, void *value)
{
	struct pending *p = arg;
	struct made *m = value;

	if (is_over(p, name, m)) {
		p->gone[p->gone_n++] = name;
		return true;
	}
	m->is.more = beyond(p->t, name, m->is.partitions, m->is.class,
	    m->is.class);
	p->n[m->is.class] += m->is.more;
	return true;
}

/* Another picture is looked at once: workers of different pictures do not take
 * turns, since the one whose time is earlier goes by the other's. */
static bool
is_fresh(const struct quota_account *a, const struct made_topic *t,
    int64_t now_us)
{
	int64_t us = now_us - a->made_looked_us;

	return a->made_looked_us != 0 && us < MADE_LOOK_MS * 1000 &&
	    (us < 0 || memcmp(a->made_there, t->there,
	    sizeof(a->made_there)) == 0);
}

/* A request may have very many items, so not for each of them: until the next
 * look, what is made and unmade is added up. */
static void
look(struct quota_account *a, const struct made_topic *t, int64_t now_us)
{
	size_t n = htab_count(a->made_topics);
	struct pending p = { .t = t, .now_us = now_us, .n = a->made_more };

	if (is_fresh(a, t, now_us))
		return;
	a->made_looked_us = now_us;
	memcpy(a->made_there, t->there, sizeof(a->made_there));
	memset(a->made_more, 0, sizeof(a->made_more));
	p.gone = mem_alloc((n + 1) * sizeof(*p.gone));
	htab_each(a->made_topics, look_at, &p);
	/* The key is the table's, and goes with it. */
	for (uint32_t i = 0; i < p.gone_n; i++)
		free(htab_take(a->made_topics, p.gone[i]));
	free(p.gone);
}

static void
forget(struct quota_account *a, struct made *m)
{
	if (m != NULL)
		a->made_more[m->is.class] -= m->is.more;
	free(m);
}

static bool
is_same(const struct made_state *a, const struct made_state *b)
{
	return a->partitions == b->partitions && a->class == b->class;
}

static void
note(struct quota_account *a, struct made_topic *t, int64_t now_us)
{
	struct made *m, *was;

	if (htab_count(a->made_topics) >= MADE_TOPICS_MAX)
		return;
	m = mem_alloc(sizeof(*m));
	*m = (struct made){ now_us, t->is };
	a->made_more[m->is.class] += m->is.more;
	was = htab_set(a->made_topics, t->name, m);
	if (was != NULL)
		t->was = was->is;
	t->noted = !is_same(&t->was, &t->is);
	forget(a, was);
}

/* One that is asked for again while it is on its way is most likely refused: as
 * many partitions as before are to come until that is known. */
static int32_t
partitions_of(const struct made_topic *t, const struct made *was)
{
	return was != NULL && was->is.partitions > t->partitions ?
	    was->is.partitions : t->partitions;
}

static bool
judge(const struct quota_who *w, struct made_topic *t, int64_t now_us,
    struct quota_reason *why)
{
	enum quota_dimension d = dimensions[t->class];
	struct quota_account *a = w->account;
	const struct made *was = htab_get(a->made_topics, t->name);
	int32_t partitions = partitions_of(t, was);
	int64_t more = beyond(t, t->name, partitions, t->class,
	    was != NULL ? was->is.class : MADE_PLAIN);
	int64_t n = a->made_there[t->class] + a->made_more[t->class], most;

	if (was != NULL && was->is.class == t->class)
		n -= was->is.more;
	if (more <= 0)
		return true;
	most = quota_size_limit(w, d, n + more, now_us, why);
	if (most >= 0 && n + more > most)
		return false;
	t->is = (struct made_state){ partitions, beyond(t, t->name, partitions,
	    t->class, t->class), t->class };
	note(a, t, now_us);
	quota_show_count(a, d, n + more);
	return true;
}

bool
quota_made(const struct quota_who *w, struct made_topic *t,
    int64_t now_us, struct quota_reason *why)
{
	struct quota_account *a = w->account;
	bool may;

	t->noted = false;
	t->was = (struct made_state){ 0 };
	pthread_mutex_lock(&a->made_lock);
	look(a, t, now_us);
	may = judge(w, t, now_us, why);
	pthread_mutex_unlock(&a->made_lock);
	return may;
}

void
quota_made_back(const struct quota_who *w, struct slice name,
    const struct made_state *was, const struct made_state *is)
{
	struct quota_account *a = w->account;
	struct made *m;

	pthread_mutex_lock(&a->made_lock);
	m = htab_get(a->made_topics, name);
	if (m != NULL && is_same(&m->is, is)) {
		a->made_more[m->is.class] -= m->is.more;
		m->is = *was;
		a->made_more[m->is.class] += m->is.more;
		if (was->partitions == 0)
			free(htab_take(a->made_topics, name));
	}
	pthread_mutex_unlock(&a->made_lock);
}

void
quota_unmade(const struct quota_who *w, struct slice name)
{
	struct quota_account *a = w->account;

	pthread_mutex_lock(&a->made_lock);
	forget(a, htab_take(a->made_topics, name));
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
		class = m->is.class;
	if (partitions != NULL)
		*partitions = m != NULL ? m->is.partitions : 0;
	pthread_mutex_unlock(&a->made_lock);
	return class;
}
