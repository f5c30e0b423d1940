/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant's names, expressions and members' bytes, by the input's first byte.
 * What comes back is what went in, what goes in has the prefix, and nothing
 * reads beyond the input (it is copied to a block of its exact size).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/tenancy_private.h"
#include "routing/names.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char prefix[] = "a-1.";
static const char head[] = "\\Qa-1.\\E(?:";

static void
try_name(const struct names *n, enum name_kind kind, struct slice in,
    struct arena *a)
{
	struct slice physical, back;

	if (!names_inward(n, kind, in, &physical, a))
		return;
	assert(names_outward(n, kind, physical, &back, a));
	assert(slice_eq(back, in));
	/* The other way round: it is owned only when it has the prefix, or can
	 * be nobody's. */
	if (names_outward(n, kind, in, &back, a) && kind != NAME_TOPIC)
		assert(in.len >= strlen(prefix) &&
		    memcmp(in.data, prefix, strlen(prefix)) == 0);
}

static void
try_regex(const struct names *n, struct slice in, struct arena *a)
{
	struct slice physical, shown;

	if (names_regex_inward(n, in, a, &physical)) {
		assert(physical.len > strlen(head) &&
		    memcmp(physical.data, head, strlen(head)) == 0);
		assert(names_regex_outward(n, physical, a, &shown));
	}
	if (names_regex_outward(n, in, a, &shown))
		assert(shown.len < in.len);
}

static void
try_member(const struct names *n, int choice, struct slice in, struct arena *a)
{
	struct tenancy_walk w = { .names = n, .arena = a,
	    .protocol = choice & 1 ? TENANCY_CONSUMER : TENANCY_UNKNOWN };
	bool assignment = choice & 2;
	struct slice once, back, twice;

	once = tenancy_member(&w, assignment, in);
	w.outward = true;
	back = tenancy_member(&w, assignment, once);
	w.outward = false;
	twice = tenancy_member(&w, assignment, back);
	/* A name that was too long is left as it was. */
	if (!w.too_long && w.stopped == 0)
		assert(slice_eq(once, twice));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = mem_alloc(size ? size : 1);
	struct names *n = names_new(prefix);
	struct slice in = { copy, (uint32_t)size };
	struct arena a;
	int choice;

	if (size > 0) {
		choice = data[0];
		in.len--;
		memcpy(copy, data + 1, size - 1);
		arena_init(&a, 0);
		switch (choice % 8) {
		case 0:
		case 1:
		case 2:
			try_name(n, (enum name_kind)(choice % 8), in, &a);
			break;
		case 3:
			try_regex(n, in, &a);
			break;
		default:
			try_member(n, choice % 8, in, &a);
			break;
		}
		arena_fini(&a);
	}
	names_free(n);
	free(copy);
	return 0;
}
