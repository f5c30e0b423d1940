/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

enum {
	NAME_SIZE = 2400, REFERENCE = 1000000, WEIGH_MS = 200,
	EARLY_PERCENT = 80,	/* of what may be used unasked */
};

struct quota_fleet {
	struct quota		*quota;
	struct lease_node	*node;
	void			(*on_news)(void *arg);
	void			*arg;
	int64_t			 weighed_us;
	/* By tenant: names that others press and whose holders are not known
	 * yet, in a table of their own. */
	struct htab		*sought;
};

/* ---- names ---- */

static const char *
word_of(enum quota_dimension d)
{
	return quota_dimension(d)->word;
}

static struct slice
gauge_name(const struct quota_holder *h, enum quota_dimension d,
    char to[NAME_SIZE])
{
	const char *w = word_of(d);

	if (h->scope == QUOTA_CLIENT)
		snprintf(to, NAME_SIZE, "%s/c/%s/%zu %s", w, h->principal,
		    strlen(h->client_id), h->client_id);
	else if (h->scope == QUOTA_PRINCIPAL)
		snprintf(to, NAME_SIZE, "%s/p/%s", w, h->principal);
	else
		snprintf(to, NAME_SIZE, "%s", w);
	return slice_of(to);
}

static struct slice
part_name(const struct quota_topic *t, int32_t partition, bool out,
    char to[NAME_SIZE])
{
	snprintf(to, NAME_SIZE, "%s/t/%s/%d", word_of(
	    quota_part_dimension(out)), t->name, (int)partition);
	return slice_of(to);
}

/* Those without a tenant have no name, which the store could not have. */
static struct slice
group_of(const struct quota_account *a)
{
	return a->name[0] != '\0' ? slice_of(a->name) : SLICE_LIT("-");
}

/* ---- leases ---- */

static bool
is_bucket(enum quota_dimension d)
{
	uint8_t kind = quota_dimension(d)->kind;

	return kind == QUOTA_RATE || kind == QUOTA_WINDOW;
}

static int64_t
seconds_of(enum quota_dimension d)
{
	return quota_dimension(d)->kind == QUOTA_WINDOW ? QUOTA_WINDOW_S : 1;
}

bool
quota_gauge_pressed(const struct quota_holder *h, enum quota_dimension d)
{
	char name[NAME_SIZE];

	return lease_pressed(h->account->quota->leases, group_of(h->account),
	    gauge_name(h, d, name));
}

bool
quota_part_pressed(const struct quota_topic *t, int32_t partition, bool out)
{
	char name[NAME_SIZE];

	return lease_pressed(t->account->quota->leases, group_of(t->account),
	    part_name(t, partition, out, name));
}

static void
lease_gauge(struct quota_fleet *f, struct quota_holder *h,
    enum quota_dimension d)
{
	struct quota_gauge *g = &h->gauges[d];
	char name[NAME_SIZE];

	if (atomic_load(&g->lease) != NULL || h->account == NULL)
		return;
	atomic_store(&g->queued, true);
	atomic_store_explicit(&g->lease, lease_add(f->node,
	    group_of(h->account), gauge_name(h, d, name), &g->bucket,
	    atomic_load(&g->value), seconds_of(d), atomic_load(&g->burst)),
	    memory_order_release);
	lease_press(atomic_load(&g->lease));
	h->account->leased = true;
}

static void
lease_part(struct quota_fleet *f, struct quota_topic *t, int32_t partition,
    bool out)
{
	struct quota_part *p = quota_topic_part(t, partition);
	struct quota_way *way = &t->way[out];
	struct quota_more *m;
	char name[NAME_SIZE];

	if (p == NULL || !quota_topic_limited(t, out))
		return;
	m = quota_part_more(p);
	if (atomic_load(&m->lease[out]) != NULL)
		return;
	atomic_store(&m->queued[out], true);
	atomic_store_explicit(&m->lease[out], lease_add(f->node,
	    group_of(t->account), part_name(t, partition, out, name),
	    &p->bucket[out], atomic_load(&way->value), 1,
	    atomic_load(&way->burst)), memory_order_release);
	lease_press(atomic_load(&m->lease[out]));
}

/* A counter knows of those that were counted before it. */
static void
give_counter(struct quota_fleet *f, struct quota_holder *h,
    enum quota_dimension d)
{
	struct quota_gauge *g = &h->gauges[d];
	struct lease_count *c;
	char name[NAME_SIZE];

	if (atomic_load(&g->counter) != NULL || h->account == NULL)
		return;
	c = lease_count_new(f->node, group_of(h->account),
	    gauge_name(h, d, name), atomic_load(&g->value));
	atomic_store_explicit(&g->counter, c, memory_order_release);
	quota_gauge_bridge(g);
}

void
quota_gauge_bridge(struct quota_gauge *g)
{
	struct lease_count *c = atomic_load(&g->counter);
	int64_t now = atomic_load(&g->count), was = atomic_load(&g->bridged);

	if (c == NULL || now == was)
		return;
	/* Who counts meanwhile must not see it twice. */
	if (now > was)
		atomic_store(&g->bridged, now);
	if (now > was)
		lease_count_force(c, (uint32_t)(now - was));
	else
		lease_count_put(c, (uint32_t)(was - now));
	atomic_store(&g->bridged, now);
}

/* ---- what others use ---- */

/* Where all nodes use nearly as much, none falls short of its part before the
 * whole is nearly used; so who comes near to its part asks. */
static void
press_early(struct quota_holder *h, enum quota_dimension d,
    const struct lease_view *v)
{
	struct quota_gauge *g = &h->gauges[d];
	struct lease *l = atomic_load(&g->lease);
	__int128 part = atomic_load(&quota_gauge_rate(g)->rate);

	if (quota_dimension(d)->kind != QUOTA_RATE || g->warn[0] == 0 ||
	    (__int128)atomic_load(&g->per_s) * BUCKET_UNIT * 100 <
	    part * EARLY_PERCENT)
		return;
	if (l == NULL && !atomic_exchange(&g->queued, true))
		quota_tell(h->account->quota, &(struct quota_event){
		    .holder = h, .which = (int32_t)d });
	else if (l != NULL && v->mode == LEASE_FREE)
		lease_press(l);
}

void
quota_gauge_tell(struct quota_holder *h, enum quota_dimension d)
{
	struct quota_gauge *g = &h->gauges[d];
	struct lease *l = atomic_load(&g->lease);
	struct lease_count *c = atomic_load(&g->counter);
	struct lease_view v = { .told = false };
	int64_t unit = l != NULL ? BUCKET_UNIT : 1;

	if (h->account == NULL || !(atomic_load(&h->active) >> d & 1) ||
	    !atomic_load(&h->account->quota->fleet)) {
		atomic_store(&g->told, false);
		return;
	}
	if (l != NULL)
		lease_view(l, &v);
	else if (c != NULL)
		lease_count_view(c, &v);
	atomic_store(&g->others, v.others / unit);
	atomic_store(&g->left, v.left / unit);
	/* What is spent a second is not what was in a window. */
	atomic_store(&g->told, v.told &&
	    quota_dimension(d)->kind != QUOTA_WINDOW);
	press_early(h, d, &v);
}

/* Connections only: what else is counted, brokers know. */
static bool
has_counter(enum quota_dimension d)
{
	return d == QUOTA_DIM_CONNECTIONS;
}

void
quota_holder_unlease(struct quota_holder *h)
{
	for (int d = 0; d < QUOTA_DIMENSIONS; d++) {
		struct quota_gauge *g = &h->gauges[d];
		struct lease *l = atomic_exchange(&g->lease, NULL);
		struct lease_count *c = atomic_exchange(&g->counter, NULL);

		if (l != NULL)
			lease_remove(l);
		if (c != NULL)
			lease_count_free(c);
	}
}

static void
unlease_part(void *arg, struct quota_topic *t, int32_t partition,
    struct quota_part *p)
{
	struct quota_more *m = atomic_load(&p->more);

	(void)arg, (void)t, (void)partition;
	for (int out = 0; m != NULL && out < 2; out++) {
		struct lease *l = atomic_exchange(&m->lease[out], NULL);

		if (l != NULL)
			lease_remove(l);
	}
}

void
quota_topic_unlease(struct quota_topic *t)
{
	quota_topic_each(t, unlease_part, NULL);
}

/* ---- what workers say ---- */

/* Counters it needs at once; leases where others press. */
static void
holder_is_new(struct quota_fleet *f, struct quota_holder *h)
{
	uint32_t active = atomic_load(&h->active);

	for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
		enum quota_dimension d = (enum quota_dimension)i;

		if (!(active >> d & 1))
			continue;
		if (has_counter(d))
			give_counter(f, h, d);
		else if (is_bucket(d) && quota_gauge_pressed(h, d))
			lease_gauge(f, h, d);
	}
}

static void
parts_are_new(struct quota_fleet *f, struct quota_topic *t, int level)
{
	int32_t first = (1 << level) - 1;

	for (int32_t i = first; i < first + (1 << level); i++)
		for (int out = 0; out < 2; out++)
			if (quota_topic_limited(t, out) &&
			    quota_part_pressed(t, i, out))
				lease_part(f, t, i, out);
}

static void
follow_leases(struct quota_fleet *f, struct quota_holder *h)
{
	for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
		enum quota_dimension d = (enum quota_dimension)i;
		struct quota_gauge *g = &h->gauges[d];
		struct lease *l = atomic_load(&g->lease);
		struct lease_count *c = atomic_load(&g->counter);

		if (!(atomic_load(&h->active) >> d & 1))
			continue;
		if (l != NULL)
			lease_set(l, atomic_load(&g->value), seconds_of(d),
			    atomic_load(&g->burst));
		if (c != NULL)
			lease_count_set(c, atomic_load(&g->value));
	}
	holder_is_new(f, h);
}

static bool
follow_holder(void *arg, struct slice key, void *value)
{
	(void)key;
	follow_leases(arg, value);
	return true;
}

static void
follow_part(void *arg, struct quota_topic *t, int32_t partition,
    struct quota_part *p)
{
	struct quota_more *m = atomic_load(&p->more);

	(void)arg, (void)partition;
	for (int out = 0; m != NULL && out < 2; out++) {
		struct lease *l = atomic_load(&m->lease[out]);

		if (l != NULL && quota_topic_limited(t, out))
			lease_set(l, atomic_load(&t->way[out].value), 1,
			    atomic_load(&t->way[out].burst));
	}
}

static bool
follow_topic(void *arg, struct slice key, void *value)
{
	(void)key;
	quota_topic_each(value, follow_part, arg);
	return true;
}

static void
limits_changed(struct quota_fleet *f, struct quota_account *a)
{
	pthread_mutex_lock(&a->lock);
	quota_account_holders(a, follow_holder, f);
	htab_each(a->topics, follow_topic, f);
	pthread_mutex_unlock(&a->lock);
}

static void
heard(struct quota_fleet *f, const struct quota_event *e)
{
	if (e->account != NULL) {
		limits_changed(f, e->account);
	} else if (e->holder != NULL) {
		if (e->which >= 0)
			lease_gauge(f, e->holder,
			    (enum quota_dimension)e->which);
		else
			holder_is_new(f, e->holder);
		atomic_fetch_sub(&e->holder->refs, 1);
	} else if (e->topic != NULL) {
		if (e->fresh)
			parts_are_new(f, e->topic, e->which);
		else
			lease_part(f, e->topic, e->which, e->out);
		atomic_fetch_sub(&e->topic->refs, 1);
	}
}

/* In the order in which they were said. */
void
quota_fleet_hear(struct quota_fleet *f)
{
	struct quota_event *last = atomic_exchange(&f->quota->events, NULL);
	struct quota_event *first = NULL;

	while (last != NULL) {
		struct quota_event *next = last->next;

		last->next = first;
		first = last;
		last = next;
	}
	while (first != NULL) {
		struct quota_event *next = first->next;

		heard(f, first);
		free(first);
		first = next;
	}
}

/* ---- what the fleet says ---- */

/* Of one tenant. */
struct sought {
	struct quota_fleet	*fleet;
	struct htab		*ids;		/* as lease_id has them */
};

static bool
is_sought(const struct sought *s, struct slice name)
{
	char id[LEASE_ID_MAX + 1];

	lease_id(name, false, id);
	return htab_get(s->ids, slice_of(id)) != NULL;
}

static bool
seek_holder(void *arg, struct slice key, void *value)
{
	const struct sought *s = arg;
	struct quota_holder *h = value;

	(void)key;
	for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
		enum quota_dimension d = (enum quota_dimension)i;
		char name[NAME_SIZE];

		if ((atomic_load(&h->active) >> d & 1) && is_bucket(d) &&
		    is_sought(s, gauge_name(h, d, name)))
			lease_gauge(s->fleet, h, d);
	}
	return true;
}

/* The tenant as the fleet's store has it. */
static struct quota_account *
account_of(struct quota_fleet *f, struct slice group)
{
	return quota_account_find(f->quota, slice_is(group, "-") ?
	    SLICE_LIT("") : group);
}

static bool
seek_in(void *arg, struct slice group, void *value)
{
	struct sought s = { arg, value };
	struct quota_account *a = account_of(arg, group);

	pthread_mutex_lock(&a->lock);
	quota_account_holders(a, seek_holder, &s);
	pthread_mutex_unlock(&a->lock);
	return true;
}

static void
ids_free(void *value)
{
	htab_free(value, NULL);
}

/* Names may be sums of what they stand for, so a tenant's holders are walked
 * for them: once, however many have come. */
static void
seek(struct quota_fleet *f)
{
	if (htab_count(f->sought) == 0)
		return;
	htab_each(f->sought, seek_in, f);
	htab_free(f->sought, ids_free);
	f->sought = htab_new();
}

/* Partitions' names are their own ids: topics have plain ones. */
static bool
seek_part(struct quota_fleet *f, struct quota_account *a, struct slice name)
{
	char text[LEASE_ID_MAX + 1], *topic, *number;
	int32_t partition;
	bool out;
	struct quota_topic *t;

	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(name));
	topic = strstr(text, "/t/");
	number = strrchr(text, '/');
	if (topic == NULL || number <= topic + 2)
		return false;
	*topic = *number = '\0';
	partition = (int32_t)strtol(number + 1, NULL, 10);
	out = strcmp(text, word_of(QUOTA_DIM_PARTITION_EGRESS)) == 0;
	t = htab_get(a->topics, slice_of(topic + 3));
	/* Of a partition that nobody uses here there is no bucket; who uses
	 * it first asks whether it is pressed. */
	if (t != NULL && quota_topic_has(t, partition))
		lease_part(f, t, partition, out);
	return true;
}

static void
pressed_elsewhere(void *arg, struct slice group, struct slice name)
{
	struct quota_fleet *f = arg;
	struct quota_account *a = account_of(f, group);
	struct htab *ids;
	bool done;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	done = seek_part(f, a, name);
	pthread_mutex_unlock(&a->lock);
	if (done)
		return;
	ids = htab_get(f->sought, group);
	if (ids == NULL) {
		ids = htab_new();
		htab_set(f->sought, group, ids);
	}
	htab_set(ids, name, f);
}

/* ---- how many there are ---- */

static void
nodes_changed(void *arg)
{
	struct quota_fleet *f = arg;
	struct lease_node_view v;
	struct bucket_rate r;

	lease_node_view(f->node, &v);
	atomic_store(&f->quota->nodes, v.nodes);
	lease_unleased(f->node, REFERENCE, 1, REFERENCE, &r);
	atomic_store(&f->quota->open, v.lost && v.on_loss == LEASE_OPEN);
	atomic_store(&f->quota->closed, v.lost && v.on_loss == LEASE_CLOSED);
	/* Buckets go on as they were: so they come back with what they would
	 * have had, however much has passed beside them. */
	if (!v.lost || v.on_loss == LEASE_SHARE)
		atomic_store(&f->quota->share, atomic_load(&r.rate) /
		    REFERENCE);
	/* One that is being made with the share of before is seen then. */
	pthread_mutex_lock(&f->quota->lock);
	pthread_mutex_unlock(&f->quota->lock);
	QUOTA_EACH_ACCOUNT(a, f->quota) {
		pthread_mutex_lock(&a->lock);
		quota_account_follow(a);
		pthread_mutex_unlock(&a->lock);
	}
}

static void
news_came(void *arg)
{
	struct quota_fleet *f = arg;

	if (f->on_news != NULL)
		f->on_news(f->arg);
}

/* ---- all of it ---- */

struct quota_fleet *
quota_fleet_new(struct quota *q, const struct lease_options *o)
{
	struct quota_fleet *f = mem_zalloc(sizeof(*f));
	struct lease_options with = *o;

	with.on_pressed = pressed_elsewhere;
	with.on_nodes = nodes_changed;
	with.on_news = news_came;
	with.arg = f;
	f->quota = q;
	f->sought = htab_new();
	f->on_news = o->on_news;
	f->arg = o->arg;
	f->node = lease_node_new(&with);
	q->leases = f->node;
	atomic_store(&q->fleet, true);
	nodes_changed(f);
	return f;
}

static bool
unlease_holder(void *arg, struct slice key, void *value)
{
	(void)arg, (void)key;
	quota_holder_unlease(value);
	return true;
}

static bool
unlease_topic(void *arg, struct slice key, void *value)
{
	(void)arg, (void)key;
	quota_topic_unlease(value);
	return true;
}

void
quota_fleet_free(struct quota_fleet *f)
{
	if (f == NULL)
		return;
	quota_fleet_hear(f);
	atomic_store(&f->quota->fleet, false);
	QUOTA_EACH_ACCOUNT(a, f->quota) {
		quota_account_holders(a, unlease_holder, NULL);
		htab_each(a->topics, unlease_topic, NULL);
	}
	lease_node_free(f->node);
	htab_free(f->sought, ids_free);
	free(f);
}

/* ---- how much is wanted here ---- */

static enum quota_lane
lane_of(enum quota_dimension d)
{
	return d == QUOTA_DIM_INGRESS ? QUOTA_IN : d == QUOTA_DIM_EGRESS ?
	    QUOTA_OUT : QUOTA_OTHER;
}

static void
weigh(struct quota_holder *h)
{
	for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
		struct lease *l = atomic_load(&h->gauges[i].lease);
		enum quota_lane lane = lane_of((enum quota_dimension)i);
		int64_t n;

		if (l == NULL)
			continue;
		n = h->scope == QUOTA_TENANT ?
		    atomic_load(&h->account->wants[lane]) :
		    atomic_load(&h->owed[lane]);
		/* Requests come in these lanes as well. */
		if (lane == QUOTA_OTHER)
			n += h->scope == QUOTA_TENANT ?
			    atomic_load(&h->account->wants[QUOTA_IN]) +
			    atomic_load(&h->account->wants[QUOTA_READ]) :
			    atomic_load(&h->owed[QUOTA_IN]) +
			    atomic_load(&h->owed[QUOTA_READ]);
		atomic_store(&l->weight, n > 1 ? (uint32_t)n : 1);
	}
}

static bool
weigh_holder(void *arg, struct slice key, void *value)
{
	(void)arg, (void)key;
	weigh(value);
	return true;
}

static void
weigh_account(struct quota_account *a)
{
	if (!a->leased)
		return;
	weigh(a->tenant);
	pthread_mutex_lock(&a->lock);
	htab_each(a->holders, weigh_holder, NULL);
	pthread_mutex_unlock(&a->lock);
}

void
quota_fleet_tick(struct quota_fleet *f, int64_t now_us)
{
	if (now_us - f->weighed_us >= WEIGH_MS * 1000) {
		f->weighed_us = now_us;
		QUOTA_EACH_ACCOUNT(a, f->quota)
			weigh_account(a);
	}
	quota_fleet_hear(f);
	/* Before a heartbeat says that it is done. */
	seek(f);
	lease_tick(f->node, now_us);
}

void
quota_fleet_news(struct quota_fleet *f)
{
	lease_news(f->node);
}

void
quota_fleet_on_loss(struct quota_fleet *f, enum lease_on_loss to)
{
	lease_set_on_loss(f->node, to);
}

void
quota_fleet_leave(struct quota_fleet *f)
{
	lease_leave(f->node);
}

const struct lease_node *
quota_fleet_node(const struct quota_fleet *f)
{
	return f->node;
}
