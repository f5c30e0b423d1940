/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/cidr.h"
#include "gateway/base/mem.h"
#include "gateway/base/option_private.h"
#include "gateway/base/slice.h"

void
error_list_add(struct error_list *l, const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (l->n >= FAULTS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = (struct fault){ mem_strdup(path), mem_strdup(text) };
}

void
error_list_free(struct error_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		free(l->v[i].reason);
	}
	free(l->v);
	memset(l, 0, sizeof(*l));
}

void
error_list_print(const struct error_list *l, FILE *f, const char *prefix)
{
	for (uint32_t i = 0; i < l->n; i++)
		fprintf(f, "%s%s: %s\n", prefix, l->v[i].path,
		    l->v[i].reason);
}

void
option_path(char to[OPTION_PATH_SIZE], const char *path, const char *name)
{
	snprintf(to, OPTION_PATH_SIZE, "%.150s%s%.90s", path,
	    path[0] != '\0' ? "." : "", name);
}

void
option_path_at(char to[OPTION_PATH_SIZE], const char *path, size_t i)
{
	snprintf(to, OPTION_PATH_SIZE, "%.200s[%zu]", path, i);
}

static void
free_text(char **at, bool secret)
{
	if (*at != NULL && secret)
		explicit_bzero(*at, strlen(*at));
	free(*at);
	*at = NULL;
}

static void
free_texts(struct text_list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct text_list){ NULL, 0 };
}

static void
free_array(const struct option_group *g, void *at)
{
	struct option_array a;

	memcpy(&a, at, sizeof(a));
	for (uint32_t i = 0; i < a.n; i++)
		option_free(g, (char *)a.v + i * g->size);
	free(a.v);
	memset(at, 0, sizeof(a));
}

void
option_free(const struct option_group *g, void *from)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct option *o = &g->rows[i];
		void *at = (char *)from + o->offset;

		switch (o->type) {
		case OPTION_TEXT:
		case OPTION_PATH:
		case OPTION_SECRET:
			free_text(at, o->type == OPTION_SECRET);
			break;
		case OPTION_NETWORKS:
			cidr_list_free(at);
			break;
		case OPTION_TEXTS:
			free_texts(at);
			break;
		case OPTION_OBJECT:
			option_free(o->group, at);
			break;
		case OPTION_ARRAY:
			free_array(o->group, at);
			break;
		default:
			break;
		}
	}
}

static bool
same_networks(const struct cidr_list *a, const struct cidr_list *b)
{
	return a->n == b->n &&
	    (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

static bool
same_texts(const struct text_list *a, const struct text_list *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

/* For rows with one value. */
static bool
same_value(const struct option *o, const void *a, const void *b)
{
	switch (o->type) {
	case OPTION_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case OPTION_SIZE:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_SECRET:
		return text_eq(*(char *const *)a, *(char *const *)b);
	case OPTION_NETWORKS:
		return same_networks(a, b);
	case OPTION_TEXTS:
		return same_texts(a, b);
	case OPTION_PERCENTS:	/* it has no padding */
		return memcmp(a, b, sizeof(struct percent_list)) == 0;
	default:
		return *(const uint32_t *)a == *(const uint32_t *)b;
	}
}

static void	 check_group(const struct option_group *g, const char *a,
		    const char *b, const char *path, struct error_list *errs);

static void
check_array(const struct option *o, const void *old, const void *new,
    const char *path, struct error_list *errs)
{
	struct option_array a, b;
	char where[OPTION_PATH_SIZE];

	memcpy(&a, old, sizeof(a));
	memcpy(&b, new, sizeof(b));
	if (a.n != b.n)
		error_list_add(errs, path, "their number can change only with "
		    "a restart");
	for (uint32_t i = 0; i < a.n && i < b.n; i++) {
		option_path_at(where, path, i);
		check_group(o->group, (const char *)a.v + i * o->group->size,
		    (const char *)b.v + i * o->group->size, where, errs);
	}
}

static void
check_group(const struct option_group *g, const char *a, const char *b,
    const char *path, struct error_list *errs)
{
	char where[OPTION_PATH_SIZE];

	for (size_t i = 0; i < g->count; i++) {
		const struct option *o = &g->rows[i];
		const char *old = a + o->offset, *new = b + o->offset;

		option_path(where, path, o->name);
		if (o->type == OPTION_OBJECT)
			check_group(o->group, old, new, where, errs);
		else if (o->live)
			continue;
		else if (o->type == OPTION_ARRAY)
			check_array(o, old, new, where, errs);
		else if (!same_value(o, old, new))
			error_list_add(errs, where,
			    "can change only with a restart");
	}
}

bool
option_check_reload(const struct option_group *g, const void *old,
    const void *new, struct error_list *errs)
{
	uint32_t before = errs->n;

	check_group(g, old, new, "", errs);
	return errs->n == before;
}
