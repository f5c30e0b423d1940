/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tenants.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/file.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/tenants_file.h"
#include "gateway/tenants_private.h"

/* The file as JSON, or NULL. */
static json_t *
read_json(const char *folder, const char *id)
{
	size_t size = strlen(folder) + strlen(id) + 7, len;
	char *path = mem_alloc(size), *text;
	json_t *to = NULL;
	struct error ignored;

	snprintf(path, size, "%s/%s.json", folder, id);
	text = file_read(path, TENANT_FILE_MAX, false, &len, &ignored);
	if (text != NULL)
		to = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	free(path);
	return to;
}

/* What it says, borrowed; false: nothing that could be heeded. */
static bool
read_reason(const json_t *file, const char **why)
{
	const json_t *v = json_object_get(file, "suspended");

	*why = json_string_value(v);
	if (!json_is_object(file))
		return false;
	if (*why == NULL)
		return v == NULL || json_is_null(v);
	return json_string_length(v) > 0 &&
	    json_string_length(v) <= TENANT_REASON_MAX;
}

/* The tenant with that reason; a reference. */
static struct tenant *
with_reason(struct tenant *was, const char *why)
{
	struct tenant *base = was->base != NULL ? was->base : was, *t;
	const size_t after = offsetof(struct tenant, id);

	if (text_eq(base->config->suspended, why))
		return tenant_ref(base);
	t = mem_alloc(sizeof(*t));
	/* All but what tenant_init begins: others are at it. */
	memcpy((char *)t + after, (const char *)base + after,
	    sizeof(*t) - after);
	tenant_init(t);
	t->base = tenant_ref(base);
	t->suspended = why != NULL ? mem_strdup(why) : NULL;
	return t;
}

/* A reference; the same tenant when its file says nothing new. */
static struct tenant *
look_again(const char *folder, struct tenant *was)
{
	json_t *file = read_json(folder, was->id);
	const char *why, *before;
	struct tenant *t;

	(void)tenant_suspended(was, &before);
	t = read_reason(file, &why) && !text_eq(why, before) ?
	    with_reason(was, why) : tenant_ref(was);
	json_decref(file);
	return t;
}

struct tenants *
tenants_overlay(struct tenants *was, const char *folder)
{
	struct tenants *to;
	bool changed = false;

	if (was == NULL)
		return NULL;
	to = mem_zalloc(sizeof(*to));
	atomic_init(&to->refs, 1);
	to->by_id = htab_new();
	to->v = mem_alloc((was->n + 1) * sizeof(*to->v));
	for (uint32_t i = 0; i < was->n; i++) {
		struct tenant *t = look_again(folder, was->v[i]);

		changed |= t != was->v[i];
		to->v[to->n++] = t;
		htab_set(to->by_id, slice_of(t->id), t);
	}
	if (!changed) {
		tenants_unref(to);
		return NULL;
	}
	tenants_index(to);
	return to;
}
