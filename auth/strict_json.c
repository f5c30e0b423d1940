/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/strict_json.h"

#include <jansson.h>

/* The deepest nesting, whatever else is wrong with the text. */
static unsigned int
depth_of(struct slice text)
{
	unsigned int depth = 0, most = 0;
	bool quoted = false;

	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > most)
			most = depth;
	}
	return most;
}

json_t *
strict_json_object(struct slice text, unsigned int depth, struct error *err)
{
	json_error_t e;
	json_t *v;

	if (depth_of(text) > depth) {
		error_set(err, "is nested more than %u deep", depth);
		return NULL;
	}
	/* jansson refuses NUL and bad UTF-8 by itself, and what comes behind
	 * the value. Its message may quote the input: only the place is told */
	v = json_loadb(text.len > 0 ? (const char *)text.data : "", text.len,
	    JSON_REJECT_DUPLICATES, &e);
	if (v == NULL) {
		error_set(err, "is no JSON at line %d, column %d%s", e.line,
		    e.column, json_error_code(&e) == json_error_duplicate_key ?
		    " (a member is there twice)" : "");
	} else if (!json_is_object(v)) {
		error_set(err, "is no JSON object");
		json_decref(v);
		v = NULL;
	}
	return v;
}

struct slice
strict_json_text(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	if (!json_is_string(v))
		return SLICE_NULL;
	return (struct slice){ (const uint8_t *)json_string_value(v),
	    (uint32_t)json_string_length(v) };
}
