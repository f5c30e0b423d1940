/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "gateway/base/cidr.h"
#include "gateway/base/mem.h"
#include "gateway/base/option_private.h"

enum { SECRET_BUFFER = 8192 };

/* What one option_read carries along. */
struct reading {
	const char		*dir;
	struct error_list	*errs;
};

static void	 read_group(struct reading *r, const struct option_group *g,
		    json_t *in, void *to, const char *path);

static const char *
json_type_name(const json_t *v)
{
	static const char *const names[] = {
		"an object", "an array", "a string", "a number", "a fraction",
		"true", "false", "null",
	};

	return names[json_typeof(v)];
}

static void
wrong_type(struct reading *r, const char *path, const char *want,
    const json_t *v)
{
	error_list_add(r->errs, path, "must be %s, but is %s", want,
	    json_type_name(v));
}

static bool
in_bounds(struct reading *r, const struct option *o, int64_t n,
    const char *path)
{
	if (n >= o->min && n <= o->max)
		return true;
	error_list_add(r->errs, path, "must be between %" PRId64 " and %"
	    PRId64 "%s%s, but is %" PRId64, o->min, o->max,
	    o->unit[0] ? " " : "", o->unit, n);
	return false;
}

static bool
count_in_bounds(struct reading *r, const struct option *o, const json_t *v,
    const char *path)
{
	int64_t n = (int64_t)json_array_size(v);

	if (n >= o->min && n <= o->max)
		return true;
	error_list_add(r->errs, path, "must have between %" PRId64 " and %"
	    PRId64 " elements, but has %" PRId64, o->min, o->max, n);
	return false;
}

/* 65536, "64KiB" or "5MB"; false: none of these, or too large for a number. */
static bool
size_value(const json_t *v, int64_t *to)
{
	static const struct {
		const char	*name;
		int64_t		 bytes;
	} units[] = {
		{ "KiB", INT64_C(1) << 10 }, { "MiB", INT64_C(1) << 20 },
		{ "GiB", INT64_C(1) << 30 }, { "TiB", INT64_C(1) << 40 },
		{ "KB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
		{ "TB", 1000000000000 },
	};
	const char *s = json_string_value(v);
	char *end;
	long long n;

	if (json_is_integer(v)) {
		*to = json_integer_value(v);
		return true;
	}
	if (s == NULL || s[0] < '0' || s[0] > '9')
		return false;
	errno = 0;
	n = strtoll(s, &end, 10);
	end += *end == ' ';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].name) == 0)
			return errno == 0 && !__builtin_mul_overflow(n,
			    units[i].bytes, to);
	return false;
}

static void
read_number(struct reading *r, const struct option *o, const json_t *v,
    void *at, const char *path)
{
	int64_t n = json_integer_value(v);

	if (o->type == OPTION_SIZE ? !size_value(v, &n) : !json_is_integer(v))
		wrong_type(r, path, o->type == OPTION_SIZE ?
		    "a number or a text such as \"64KiB\"" :
		    "a whole number", v);
	else if (!in_bounds(r, o, n, path))
		return;
	else if (o->type == OPTION_SIZE)
		*(uint64_t *)at = (uint64_t)n;
	else
		*(uint32_t *)at = (uint32_t)n;
}

static void
read_count(struct reading *r, const struct option *o, const json_t *v,
    int32_t *at, const char *path)
{
	const char *s = json_string_value(v);

	if (s != NULL && strcmp(s, "auto") == 0)
		*at = -1;
	else if (!json_is_integer(v))
		wrong_type(r, path, "a whole number or \"auto\"", v);
	else if (in_bounds(r, o, json_integer_value(v), path))
		*at = (int32_t)json_integer_value(v);
}

/* Whether a text of several lines is wanted, such as a secret with its
 * predecessors. */
static bool
has_lines(const struct option *o)
{
	return o->type == OPTION_SECRET && strcmp(o->unit, "lines") == 0;
}

/* A string without control bytes, of a length within the row's bounds. */
static bool
good_text(struct reading *r, const struct option *o, const char *s,
    const char *path)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++) {
		if (has_lines(o) && (s[i] == '\n' || s[i] == '\r'))
			continue;
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f) {
			error_list_add(r->errs, path,
			    "must not have control characters");
			return false;
		}
	}
	if ((int64_t)len >= o->min && (int64_t)len <= o->max)
		return true;
	error_list_add(r->errs, path, "must have between %" PRId64 " and %"
	    PRId64 " bytes, but has %zu", o->min, o->max, len);
	return false;
}

static char *
join(const char *dir, const char *file)
{
	size_t size = strlen(dir) + strlen(file) + 2;
	char *p = mem_alloc(size);

	snprintf(p, size, "%s/%s", dir, file);
	return p;
}

static void
read_text(struct reading *r, const struct option *o, const json_t *v,
    char **at, const char *path)
{
	const char *s = json_string_value(v);

	if (s == NULL)
		wrong_type(r, path, "a string", v);
	else if (!good_text(r, o, s, path))
		return;
	else if (o->type == OPTION_PATH && s[0] != '/' && r->dir != NULL)
		*at = join(r->dir, s);
	else
		*at = mem_strdup(s);
}

static void
read_word(struct reading *r, const struct option *o, const json_t *v,
    unsigned *at, const char *path)
{
	const char *s = json_string_value(v), *word = o->unit;
	size_t len;

	if (s == NULL) {
		wrong_type(r, path, "a string", v);
		return;
	}
	for (unsigned i = 0;; i++, word += len + 1) {
		len = strcspn(word, "|");
		if (strlen(s) == len && memcmp(s, word, len) == 0) {
			*at = i;
			return;
		}
		if (word[len] == '\0')
			break;
	}
	error_list_add(r->errs, path, "must be one of %s, but is \"%.64s\"",
	    o->unit, s);
}

static void
read_networks(struct reading *r, const struct option *o, const json_t *v,
    struct cidr_list *to, const char *path)
{
	struct error err;
	struct cidr c;
	json_t *e;
	size_t i;

	if (!json_is_array(v)) {
		wrong_type(r, path, "an array of networks", v);
		return;
	}
	if (!count_in_bounds(r, o, v, path))
		return;
	json_array_foreach(v, i, e) {
		char at[OPTION_PATH_SIZE];

		option_path_at(at, path, i);
		if (!json_is_string(e))
			wrong_type(r, at, "a string", e);
		else if (!cidr_parse(json_string_value(e), &c, &err))
			error_list_add(r->errs, at, "%s", err.text);
		else
			cidr_list_add(to, &c);
	}
}

/* Whether the text is one of the words in "a|b|c". */
static bool
is_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (const char *w = words; len > 0; w += strcspn(w, "|") + 1) {
		size_t n = strcspn(w, "|");

		if (n == len && memcmp(w, text, n) == 0)
			return true;
		if (w[n] == '\0')
			break;
	}
	return false;
}

static void
read_texts(struct reading *r, const struct option *o, const json_t *v,
    struct text_list *to, const char *path)
{
	json_t *e;
	size_t i;

	if (!json_is_array(v)) {
		wrong_type(r, path, "an array of strings", v);
		return;
	}
	if (!count_in_bounds(r, o, v, path))
		return;
	to->v = mem_zalloc((json_array_size(v) + 1) * sizeof(*to->v));
	json_array_foreach(v, i, e) {
		char at[OPTION_PATH_SIZE];

		option_path_at(at, path, i);
		if (!json_is_string(e))
			wrong_type(r, at, "a string", e);
		else if (json_string_length(e) == 0 ||
		    json_string_length(e) > OPTION_TEXTS_LENGTH_MAX ||
		    strlen(json_string_value(e)) != json_string_length(e))
			error_list_add(r->errs, at, "must have 1 to %d "
			    "characters", OPTION_TEXTS_LENGTH_MAX);
		else if (o->unit[0] != '\0' &&
		    !is_word(o->unit, json_string_value(e)))
			error_list_add(r->errs, at, "must be one of %s, but is "
			    "\"%.64s\"", o->unit, json_string_value(e));
		else
			to->v[to->n++] = mem_strdup(json_string_value(e));
	}
}

static void
read_percents(struct reading *r, const struct option *o, const json_t *v,
    struct percent_list *to, const char *path)
{
	char at[OPTION_PATH_SIZE];
	json_int_t last = 0;
	json_t *e;
	size_t i;

	if (!json_is_array(v)) {
		wrong_type(r, path, "an array of numbers", v);
		return;
	}
	assert(o->max <= OPTION_PERCENTS_MAX);
	if (!count_in_bounds(r, o, v, path))
		return;
	to->given = true;
	json_array_foreach(v, i, e) {
		json_int_t n = json_integer_value(e);

		option_path_at(at, path, i);
		if (!json_is_integer(e))
			wrong_type(r, at, "a whole number", e);
		else if (n < 1 || n > 100)
			error_list_add(r->errs, at, "must be between 1 and 100 "
			    "percent, but is %" JSON_INTEGER_FORMAT, n);
		else if (n <= last)
			error_list_add(r->errs, at, "must be more than the one "
			    "before it, %" JSON_INTEGER_FORMAT, last);
		else
			to->v[to->n++] = (uint8_t)(last = n);
	}
}

/* The file's bytes in `to` as a string; false: with a fault. */
static bool
read_secret_file(struct reading *r, const char *file, char *to, size_t size,
    const char *path)
{
	char *whole = file[0] != '/' && r->dir != NULL ?
	    join(r->dir, file) : mem_strdup(file);
	int fd = open(whole, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

	if (n < 0)
		error_list_add(r->errs, path, "%s cannot be read: %s", whole,
		    strerror(errno));
	free(whole);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	n -= n > 0 && to[n - 1] == '\n';
	n -= n > 0 && to[n - 1] == '\r';
	to[n] = '\0';
	if (strlen(to) == (size_t)n)
		return true;
	error_list_add(r->errs, path, "the file has a zero byte");
	return false;
}

/* name_file or name_env; the name itself is refused. */
static void
read_secret(struct reading *r, const struct option *o, json_t *in, char **at,
    const char *path)
{
	char key[2][96], where[OPTION_PATH_SIZE + 8], secret[SECRET_BUFFER];
	const char *suffix[] = { "_file", "_env" }, *s, *env;
	json_t *v[2];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(key[i], sizeof(key[i]), "%s%s", o->name, suffix[i]);
		v[i] = json_object_get(in, key[i]);
		v[i] = json_is_null(v[i]) ? NULL : v[i];
	}
	if (json_object_get(in, o->name) != NULL)
		error_list_add(r->errs, path, "a secret must not stand in the "
		    "configuration: give %s or %s", key[0], key[1]);
	if (v[0] != NULL && v[1] != NULL)
		error_list_add(r->errs, path, "give %s or %s, not both",
		    key[0], key[1]);
	i = v[0] == NULL;
	if (v[i] == NULL)
		return;
	snprintf(where, sizeof(where), "%s%s", path, suffix[i]);
	s = json_string_value(v[i]);
	if (s == NULL) {
		wrong_type(r, where, "a string", v[i]);
	} else if (i == 0) {
		if (read_secret_file(r, s, secret, sizeof(secret), where) &&
		    good_text(r, o, secret, where))
			*at = mem_strdup(secret);
		explicit_bzero(secret, sizeof(secret));
	} else if ((env = getenv(s)) == NULL) {
		error_list_add(r->errs, where,
		    "the environment has no variable %.64s", s);
	} else if (good_text(r, o, env, where)) {
		*at = mem_strdup(env);
	}
}

static void
read_array(struct reading *r, const struct option *o, json_t *v, void *at,
    const char *path)
{
	struct option_array a;
	char where[OPTION_PATH_SIZE];

	if (!json_is_array(v)) {
		wrong_type(r, path, "an array", v);
		return;
	}
	if (!count_in_bounds(r, o, v, path))
		return;
	memset(&a, 0, sizeof(a));
	a.n = (uint32_t)json_array_size(v);
	if (a.n > 0)
		a.v = mem_zalloc(a.n * o->group->size);
	memcpy(at, &a, sizeof(a));
	for (uint32_t i = 0; i < a.n; i++) {
		option_path_at(where, path, i);
		read_group(r, o->group, json_array_get(v, i),
		    (char *)a.v + i * o->group->size, where);
	}
}

static void
read_value(struct reading *r, const struct option *o, json_t *v, void *at,
    const char *path)
{
	switch (o->type) {
	case OPTION_BOOL:
		if (json_is_boolean(v))
			*(bool *)at = json_is_true(v);
		else
			wrong_type(r, path, "true or false", v);
		break;
	case OPTION_INT:
	case OPTION_SIZE:
		read_number(r, o, v, at, path);
		break;
	case OPTION_COUNT:
		read_count(r, o, v, at, path);
		break;
	case OPTION_TEXT:
	case OPTION_PATH:
		read_text(r, o, v, at, path);
		break;
	case OPTION_ENUM:
		read_word(r, o, v, at, path);
		break;
	case OPTION_NETWORKS:
		read_networks(r, o, v, at, path);
		break;
	case OPTION_TEXTS:
		read_texts(r, o, v, at, path);
		break;
	case OPTION_PERCENTS:
		read_percents(r, o, v, at, path);
		break;
	case OPTION_ARRAY:
		read_array(r, o, v, at, path);
		break;
	case OPTION_OBJECT:
	case OPTION_SECRET:
		assert(!"read by read_option");
	}
}

static void
read_option(struct reading *r, const struct option *o, json_t *in, void *to,
    const char *path)
{
	void *at = (char *)to + o->offset;
	json_t *v = json_object_get(in, o->name), *initial;

	if (o->type == OPTION_SECRET) {
		read_secret(r, o, in, at, path);
	} else if (o->type == OPTION_OBJECT) {
		read_group(r, o->group, v, at, path);
	} else if (v != NULL && !json_is_null(v)) {
		read_value(r, o, v, at, path);
	} else if (strncmp(o->initial, "required", 8) == 0) {
		error_list_add(r->errs, path, "is required");
	} else {
		initial = json_loads(o->initial, JSON_DECODE_ANY, NULL);
		assert(initial != NULL);
		if (!json_is_null(initial))
			read_value(r, o, initial, at, path);
		json_decref(initial);
	}
}

static bool
is_known(const struct option_group *g, const char *key)
{
	for (size_t i = 0; i < g->count; i++) {
		size_t len = strlen(g->rows[i].name);

		if (strcmp(key, g->rows[i].name) == 0)
			return true;
		if (g->rows[i].type == OPTION_SECRET &&
		    strncmp(key, g->rows[i].name, len) == 0 &&
		    (strcmp(key + len, "_file") == 0 ||
		    strcmp(key + len, "_env") == 0))
			return true;
	}
	return false;
}

/* in is NULL or null when the group was not given. */
static void
read_group(struct reading *r, const struct option_group *g, json_t *in,
    void *to, const char *path)
{
	const char *key;
	char where[OPTION_PATH_SIZE];
	json_t *v;

	if (in != NULL && !json_is_object(in) && !json_is_null(in))
		wrong_type(r, path[0] != '\0' ? path : "configuration",
		    "an object", in);
	json_object_foreach(in, key, v) {
		if (is_known(g, key))
			continue;
		option_path(where, path, key);
		error_list_add(r->errs, where, "is not an option of weir");
	}
	for (size_t i = 0; i < g->count; i++) {
		option_path(where, path, g->rows[i].name);
		read_option(r, &g->rows[i], in, to, where);
	}
}

bool
option_read(const struct option_group *g, struct json_t *in, void *to,
    const char *dir, struct error_list *errs)
{
	struct reading r = { dir, errs };
	uint32_t before = errs->n;

	read_group(&r, g, in, to, "");
	return errs->n == before;
}
