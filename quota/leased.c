/* SPDX-License-Identifier: Apache-2.0 */
/* Names, limits as the fleet knows them, and presses. */
#include "quota/lease_private.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/sha.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"

/* ---- names ---- */

static bool
plain(uint8_t c, bool is_group)
{
	return isalnum(c) || (c != '\0' && strchr("._-:=+,@", c) != NULL) ||
	    (c == '/' && !is_group);
}

static bool
is_plain(struct slice s, bool is_group)
{
	if (s.len == 0 || s.len > LEASE_ID_MAX)
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if (!plain(s.data[i], is_group))
			return false;
	return true;
}

void
lease_id(struct slice name, bool is_group, char *to)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	if (is_plain(name, is_group)) {
		snprintf(to, LEASE_ID_MAX + 1, "%.*s", SLICE_FMT(name));
		return;
	}
	SHA256(name.data, name.len, sum);
	*to++ = '#';
	for (int i = 0; i < 16; i++)
		to += snprintf(to, 3, "%02x", sum[i]);
}

/* "group/name" as the store may say it. */
bool
leased_id_ok(struct slice id)
{
	const uint8_t *slash = id.len == 0 ? NULL :
	    memchr(id.data, '/', id.len);

	if (slash == NULL || slash == id.data ||
	    slash + 1 == id.data + id.len || id.len > 2 * LEASE_ID_MAX + 1)
		return false;
	for (uint32_t i = 0; i < id.len; i++)
		if (!plain(id.data[i], false) && id.data[i] != '#')
			return false;
	return true;
}

void
leased_join_id(struct slice group, struct slice name,
    char to[2 * LEASE_ID_MAX + 2])
{
	char a[LEASE_ID_MAX + 1], b[LEASE_ID_MAX + 1];

	lease_id(group, true, a);
	lease_id(name, false, b);
	snprintf(to, 2 * LEASE_ID_MAX + 2, "%s/%s", a, b);
}

/* ---- limits ---- */

static struct lease_group *
group_of(struct lease_node *n, struct slice name)
{
	char id[LEASE_ID_MAX + 1];
	struct lease_group *g;

	lease_id(name, true, id);
	g = htab_get(n->groups, slice_of(id));
	if (g == NULL) {
		g = mem_zalloc(sizeof(*g));
		g->node = n;
		g->id = mem_strdup(id);
		list_init(&g->asking);
		list_init(&g->link);
		htab_set(n->groups, slice_of(id), g);
	}
	g->limits++;
	return g;
}

static void
group_drop(struct lease_group *g)
{
	if (--g->limits > 0)
		return;
	list_remove(&g->link);
	htab_take(g->node->groups, slice_of(g->id));
	free(g->id);
	free(g);
}

void
leased_init(struct leased *l, struct lease_node *n, struct slice group,
    struct slice name, const char *what)
{
	char id[2 * LEASE_ID_MAX + 2];
	char key[PREFIX_MAX + 2 * LEASE_ID_MAX + 16];
	const char *slash;
	void *was;

	leased_join_id(group, name, id);
	l->group = group_of(n, group);
	slash = id + strlen(l->group->id);
	snprintf(key, sizeof(key), "%s{%s}:%s:%s", n->prefix, l->group->id,
	    what, slash + 1);
	l->id = mem_strdup(id);
	l->key = mem_strdup(key);
	list_init(&l->asking);
	list_append(&n->limits, &l->link);
	was = htab_set(n->limits_by_id, slice_of(id), l);
	assert(was == NULL);
	n->seen.leases++;
}

void
leased_fini(struct leased *l)
{
	struct lease_node *n = l->group->node;

	node_pop_presses(n, clock_now_us());
	leased_ask(l, false);
	for (uint32_t i = 0; l->call != NULL && i < l->call->n; i++)
		if (l->call->limits[i] == l)
			l->call->limits[i] = NULL;
	htab_take(n->limits_by_id, slice_of(l->id));
	list_remove(&l->link);
	group_drop(l->group);
	free(l->id);
	free(l->key);
	n->seen.leases--;
}

bool
leased_told(const struct leased *l)
{
	return l->mode == LEASE_ASKING && l->told_us != 0 &&
	    clock_now_us() - l->told_us < TOLD_US;
}

void
leased_ask(struct leased *l, bool ask)
{
	struct lease_group *g = l->group;
	struct lease_node *n = g->node;

	if (l->asks == ask)
		return;
	l->asks = ask;
	if (!ask) {
		if (!l->complete)
			n->incomplete--;
		n->seen.asking--;
		list_remove(&l->asking);
		if (list_empty(&g->asking))
			list_remove(&g->link);
		return;
	}
	l->complete = l->never_free;
	if (!l->complete)
		n->incomplete++;
	n->seen.asking++;
	list_append(&g->asking, &l->asking);
	if (list_empty(&g->link))
		list_append(&n->groups_asking, &g->link);
}

void
leased_incomplete(struct leased *l)
{
	l->version = 0;
	if (l->asks && l->complete && !l->never_free) {
		l->complete = false;
		l->group->node->incomplete++;
	}
}

int64_t
leased_hold(struct leased *l)
{
	struct lease_node *n = l->group->node;

	if (l->asks && !l->complete && l->version != 0 && n->settled &&
	    n->least >= l->version) {
		l->complete = true;
		n->incomplete--;
	}
	return l->complete ? 0 : free_part(n->nodes) * (n->nodes - 1);
}

int64_t
free_parts(uint32_t nodes)
{
	int64_t part = (int64_t)FREE_MOST * FREE_NODES / nodes;

	return part > FREE_MOST ? FREE_MOST :
	    part < FREE_LEAST ? FREE_LEAST : part;
}

int64_t
free_part(uint32_t nodes)
{
	return free_parts(nodes) / nodes;
}

int64_t
known_version(const struct lease_node *n, struct slice id)
{
	return (int64_t)(intptr_t)htab_get(n->known, id);
}

void
leased_due(struct leased *l, int64_t at_us)
{
	l->due_us = at_us;
	if (at_us < l->group->due_us)
		l->group->due_us = at_us;
}

/* ---- presses ---- */

void
leased_press(struct leased *l)
{
	struct lease_node *n = l->group->node;

	if (atomic_load_explicit(&l->flagged, memory_order_relaxed) ||
	    atomic_exchange(&l->flagged, true))
		return;
	l->next_flagged = atomic_load(&n->presses);
	while (!atomic_compare_exchange_weak(&n->presses, &l->next_flagged, l))
		;
}

void
node_pop_presses(struct lease_node *n, int64_t now)
{
	struct leased *l = atomic_exchange(&n->presses, NULL), *next;

	for (; l != NULL; l = next) {
		next = l->next_flagged;
		atomic_store(&l->flagged, false);
		if (l->is_count)
			count_pressed(l, now);
		else
			rate_pressed(l, now);
	}
}
