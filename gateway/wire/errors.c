/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wire/errors.h"

#include <stddef.h>

struct row {
	int		 code;
	bool		 retriable;
	const char	*name, *text;
};

/* Ordered and without a gap, so a code finds its row by its number. */
static const struct row rows[] = {
#define X(name, code, retriable, text) { code, retriable, #name, text },
#include "gateway/wire/errors.def"
#undef X
};

static const struct row unknown = { 0, false, "UNKNOWN",
    "The server reported an error that the gateway does not know." };

static const struct row *
find(int code)
{
	int i = code - rows[0].code;

	if (i < 0 || i >= (int)(sizeof(rows) / sizeof(rows[0])))
		return &unknown;
	return &rows[i];
}

const char *
kafka_error_name(int code)
{
	return find(code)->name;
}

const char *
kafka_error_text(int code)
{
	return find(code)->text;
}

bool
kafka_error_retriable(int code)
{
	return find(code)->retriable;
}
