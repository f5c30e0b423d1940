/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/alike.h"

#include <string.h>

#include "routing/shape.h"

/* As an array field is laid out. */
struct array {
	void	*v;
	int32_t	 n;
};

static const void *
at(const void *base, const struct field *f)
{
	return (const char *)base + f->offset;
}

static void *
at_mut(void *base, const struct field *f)
{
	return (char *)base + f->offset;
}

static bool
same_layout(const struct message *x, const struct message *y)
{
	if (x == y)
		return true;
	if (x == NULL || y == NULL || x->size != y->size ||
	    x->field_count != y->field_count)
		return false;
	for (int i = 0; i < x->field_count; i++) {
		const struct field *f = &x->fields[i], *g = &y->fields[i];

		if (strcmp(f->name, g->name) != 0 || f->type != g->type ||
		    f->array != g->array || f->offset != g->offset ||
		    !same_layout(f->element, g->element))
			return false;
	}
	return true;
}

static void copy_alike(const struct message *to_m, void *to,
    const struct message *from_m, const void *from, struct arena *a);

static void
copy_array(const struct field *g, void *to, const struct field *f,
    const void *from, struct arena *a)
{
	struct array v, out;

	memcpy(&v.v, at(from, f), sizeof(v.v));
	memcpy(&v.n, (const char *)at(from, f) + sizeof(v.v), sizeof(v.n));
	out = v;
	if (v.n > 0 && !same_layout(f->element, g->element)) {
		out.v = arena_get(a, (size_t)v.n * g->size);
		for (int32_t i = 0; i < v.n; i++)
			copy_alike(g->element, (char *)out.v + (size_t)i *
			    g->size, f->element, (char *)v.v + (size_t)i *
			    f->size, a);
	}
	memcpy(at_mut(to, g), &out.v, sizeof(out.v));
	memcpy((char *)at_mut(to, g) + sizeof(out.v), &out.n, sizeof(out.n));
}

static void
copy_alike(const struct message *to_m, void *to, const struct message *from_m,
    const void *from, struct arena *a)
{
	for (int i = 0; i < from_m->field_count; i++) {
		const struct field *f = &from_m->fields[i];
		const struct field *g = message_field(to_m, f->name);

		if (g == NULL || g->type != f->type || g->array != f->array)
			continue;
		if (f->array)
			copy_array(g, to, f, from, a);
		else if (f->type != FIELD_STRUCT)
			memcpy(at_mut(to, g), at(from, f), f->size);
		else if (f->null_since < 0 && g->null_since < 0)
			copy_alike(g->element, at_mut(to, g), f->element,
			    at(from, f), a);
	}
}

void *
message_like(const struct message *to, const struct message *from,
    const void *obj, struct arena *a)
{
	void *made = arena_get(a, to->size);

	copy_alike(to, made, from, obj, a);
	return made;
}
