/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/text_json.h"

#include <stdlib.h>

#include <jansson.h>

#include "gateway/base/mem.h"
#include "gateway/base/utf8.h"

/* C1's too, of which some terminals take one for an escape. */
static bool
is_control(struct slice s, uint32_t i, uint32_t n)
{
	return n == 1 ? s.data[i] < ' ' || s.data[i] == 0x7f :
	    n == 2 && s.data[i] == 0xc2 && s.data[i + 1] < 0xa0;
}

static size_t
put_hex(char *to, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";

	to[0] = '\\';
	to[1] = 'x';
	to[2] = hex[byte >> 4];
	to[3] = hex[byte & 15];
	return 4;
}

json_t *
text_json(struct slice s)
{
	char *to = mem_alloc((size_t)s.len * 4 + 1);
	size_t n = 0;
	json_t *v;

	for (uint32_t i = 0; i < s.len;) {
		uint32_t bytes = utf8_at(s, i);

		if (bytes == 0 || is_control(s, i, bytes)) {
			n += put_hex(to + n, s.data[i++]);
			continue;
		}
		memcpy(to + n, s.data + i, bytes);
		n += bytes;
		i += bytes;
	}
	v = json_stringn(to, n);
	free(to);
	return v != NULL ? v : json_string("");
}

json_t *
text_json_or_null(const char *s)
{
	return s != NULL ? text_json(slice_of(s)) : json_null();
}
