/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sigv4.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "gateway/base/arena.h"

/* sha256 of nothing: there is no body. */
static const char empty_digest[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* ---- parameters ---- */

bool
sigv4_params_add(struct sigv4_params *p, struct slice name,
    struct slice value, struct error *err)
{
	uint32_t max = slice_is(name, "X-Amz-Security-Token") ?
	    SIGV4_TOKEN_MAX : SIGV4_VALUE_MAX;

	if (name.len == 0 || name.len > SIGV4_NAME_MAX)
		return error_set(err, "a parameter's name has %u bytes; 1 to "
		    "%d are accepted", name.len, SIGV4_NAME_MAX);
	if (value.len > max)
		return error_set(err, "%.*s has %u bytes; %u are accepted",
		    SLICE_FMT(name), value.len, max);
	if (p->n == SIGV4_PARAMS_MAX)
		return error_set(err, "there are more than %d parameters",
		    SIGV4_PARAMS_MAX);
	/* Which of two would count? X-Amz-Date and x-amz-date are two as well:
	 * nobody who means well writes both. */
	for (uint32_t i = 0; i < p->n; i++)
		if (p->v[i].name.len == name.len &&
		    strncasecmp((const char *)p->v[i].name.data,
		    (const char *)name.data, name.len) == 0)
			return error_set(err, "%.*s is there twice",
			    SLICE_FMT(name));
	p->v[p->n++] = (struct sigv4_param){ name, value };
	return true;
}

struct slice
sigv4_params_get(const struct sigv4_params *p, const char *name)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (slice_is(p->v[i].name, name))
			return p->v[i].value;
	return SLICE_NULL;
}

/* ---- percent encoding ---- */

static bool
is_unreserved(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

struct slice
sigv4_uri_encode(struct slice s, struct arena *a)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t *to = arena_get(a, (size_t)s.len * 3 + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];

		if (is_unreserved(c)) {
			to[n++] = c;
			continue;
		}
		to[n++] = '%';
		to[n++] = (uint8_t)digits[c >> 4];
		to[n++] = (uint8_t)digits[c & 15];
	}
	return (struct slice){ to, n };
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
sigv4_uri_decode(struct slice s, struct arena *a, struct slice *to)
{
	uint8_t *out = arena_get(a, (size_t)s.len + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		int high, low;

		if (s.data[i] <= ' ' || s.data[i] > '~')
			return false;
		if (s.data[i] != '%') {
			out[n++] = s.data[i];
			continue;
		}
		if (s.len - i < 3)
			return false;
		high = hex_digit(s.data[i + 1]);
		low = hex_digit(s.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		out[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	*to = (struct slice){ out, n };
	return true;
}

/* ---- the canonical request ---- */

static int
compare(struct slice a, struct slice b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int by_bytes = n > 0 ? memcmp(a.data, b.data, n) : 0;

	return by_bytes != 0 ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

static uint8_t *
append(uint8_t *at, struct slice s)
{
	if (s.len > 0)
		memcpy(at, s.data, s.len);
	return at + s.len;
}

struct slice
sigv4_query(const struct sigv4_params *p, struct arena *a)
{
	struct sigv4_param v[SIGV4_PARAMS_MAX];
	size_t size = 1;
	uint8_t *to, *at;

	/* AWS sorts by the encoded names; no two are the same. */
	for (uint32_t i = 0, j; i < p->n; i++) {
		struct sigv4_param one = {
		    sigv4_uri_encode(p->v[i].name, a),
		    sigv4_uri_encode(p->v[i].value, a) };

		for (j = i; j > 0 && compare(v[j - 1].name, one.name) > 0; j--)
			v[j] = v[j - 1];
		v[j] = one;
		size += (size_t)one.name.len + one.value.len + 2;
	}
	to = at = arena_get(a, size);
	for (uint32_t i = 0; i < p->n; i++) {
		if (i > 0)
			*at++ = '&';
		at = append(at, v[i].name);
		*at++ = '=';
		at = append(at, v[i].value);
	}
	return (struct slice){ to, (uint32_t)(at - to) };
}

struct slice
sigv4_canonical(struct slice host, struct slice query, struct arena *a)
{
	return arena_printf(a, "GET\n/\n%.*s\nhost:%.*s\n\nhost\n%s",
	    SLICE_FMT(query), SLICE_FMT(host), empty_digest);
}

/* ---- values ---- */

bool
sigv4_scope_read(struct slice credential, struct sigv4_scope *to)
{
	struct slice *parts[] = { &to->key_id, &to->day, &to->region,
	    &to->service, &to->terminator };
	uint32_t from = 0, part = 0;

	for (uint32_t i = 0; i <= credential.len; i++) {
		if (i < credential.len && credential.data[i] != '/')
			continue;
		if (part == 5)
			return false;
		*parts[part++] = (struct slice){ credential.data + from,
		    i - from };
		from = i + 1;
	}
	return part == 5;
}

static bool
number(struct slice text, uint32_t from, uint32_t digits, int *to)
{
	*to = 0;
	for (uint32_t i = from; i < from + digits; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		*to = *to * 10 + (text.data[i] - '0');
	}
	return true;
}

bool
sigv4_time_read(struct slice text, int64_t *ms)
{
	struct tm tm = { 0 }, again;
	time_t t;

	if (text.len != SIGV4_TIME || text.data[8] != 'T' ||
	    text.data[15] != 'Z' ||
	    !number(text, 0, 4, &tm.tm_year) ||
	    !number(text, 4, 2, &tm.tm_mon) ||
	    !number(text, 6, 2, &tm.tm_mday) ||
	    !number(text, 9, 2, &tm.tm_hour) ||
	    !number(text, 11, 2, &tm.tm_min) ||
	    !number(text, 13, 2, &tm.tm_sec) || tm.tm_year < 1970)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	again = tm;
	/* timegm makes a date of anything: 31 April becomes 1 May. */
	t = timegm(&again);
	if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
	    again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min ||
	    again.tm_sec != tm.tm_sec)
		return false;
	*ms = (int64_t)t * 1000;
	return true;
}

void
sigv4_time_write(int64_t ms, char to[SIGV4_TIME + 1])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	to[0] = '\0';
	if (gmtime_r(&t, &tm) != NULL)
		strftime(to, SIGV4_TIME + 1, "%Y%m%dT%H%M%SZ", &tm);
}

bool
sigv4_expires_read(struct slice text, int64_t *ms)
{
	bool negative = text.len > 0 && text.data[0] == '-';
	uint32_t i = negative, digits = 0;
	int64_t value = 0, unit = 1000;

	for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		if (++digits <= 9)
			value = value * 10 + (text.data[i] - '0');
	if (digits == 0 || digits > 9)
		return false;
	value *= 1000;
	if (i < text.len && text.data[i] == '.') {
		if (++i == text.len)
			return false;
		for (; i < text.len && text.data[i] >= '0' &&
		    text.data[i] <= '9'; i++)
			value += (text.data[i] - '0') * (unit /= 10);
	}
	*ms = negative ? -value : value;
	return i == text.len;
}

bool
sigv4_is_signature(struct slice text)
{
	if (text.len != SIGV4_HEX)
		return false;
	for (uint32_t i = 0; i < text.len; i++)
		if (hex_digit(text.data[i]) < 0 ||
		    (text.data[i] >= 'A' && text.data[i] <= 'F'))
			return false;
	return true;
}
