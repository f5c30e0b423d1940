/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates, numbers and bytes as policies and requests write them ("IAM JSON
 * policy elements: Condition operators").
 */
#include <stdlib.h>

#include <openssl/evp.h>

#include "auth/policy_private.h"

enum { DATE_MAX = 40, NUMBER_MAX = 40 };

/* The year 9999 ends: what is greater is milliseconds, most likely. */
static const int64_t seconds_max = 253402300799;

struct cursor {
	const uint8_t	*at, *end;
};

static bool
next_is(struct cursor *c, char ch)
{
	if (c->at == c->end || *c->at != (uint8_t)ch)
		return false;
	c->at++;
	return true;
}

/* Exactly n digits, and the bounds of the number. */
static bool
digits(struct cursor *c, int n, int min, int max, int *to)
{
	*to = 0;
	for (; n > 0; n--, c->at++) {
		if (c->at == c->end || *c->at < '0' || *c->at > '9')
			return false;
		*to = *to * 10 + (*c->at - '0');
	}
	return *to >= min && *to <= max;
}

/* Days since 1970 of the proleptic Gregorian calendar. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	int64_t in_era = y - era * 400;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day -
	    1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 +
	    in_year - 719468;
}

static int
days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
	    31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* .123 behind the seconds; what is less than a millisecond is dropped. */
static bool
fraction(struct cursor *c, int64_t *ms)
{
	int scale = 100;
	const uint8_t *start = c->at;

	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		*ms += (*c->at - '0') * scale;
		scale /= 10;
	}
	return c->at > start;
}

/* Z or +hh:mm. */
static bool
zone(struct cursor *c, int64_t *ms)
{
	int hours, minutes, sign;

	if (next_is(c, 'Z'))
		return true;
	sign = next_is(c, '+') ? -1 : next_is(c, '-') ? 1 : 0;
	if (sign == 0 || !digits(c, 2, 0, 23, &hours) || !next_is(c, ':') ||
	    !digits(c, 2, 0, 59, &minutes))
		return false;
	*ms += sign * (hours * 60 + minutes) * 60000;
	return true;
}

/* hh:mm[:ss[.s]]zone behind the T. */
static bool
time_of_day(struct cursor *c, int64_t *ms)
{
	int hours, minutes, seconds = 0;

	if (!digits(c, 2, 0, 23, &hours) || !next_is(c, ':') ||
	    !digits(c, 2, 0, 59, &minutes))
		return false;
	if (next_is(c, ':')) {
		if (!digits(c, 2, 0, 59, &seconds))
			return false;
		if (next_is(c, '.') && !fraction(c, ms))
			return false;
	}
	*ms += ((hours * 60 + minutes) * 60 + seconds) * (int64_t)1000;
	return zone(c, ms);
}

static bool
parse_epoch(struct slice text, int64_t *ms)
{
	uint32_t i = text.len > 1 && text.data[0] == '-';
	int64_t n = 0;

	if (text.len > 14)
		return false;
	for (uint32_t k = i; k < text.len; k++) {
		if (text.data[k] < '0' || text.data[k] > '9')
			return false;
		n = n * 10 + text.data[k] - '0';
	}
	if (n > seconds_max)
		return false;
	*ms = (i ? -n : n) * 1000;
	return true;
}

bool
policy_date_parse(struct slice text, int64_t *ms)
{
	struct cursor c = { text.data, text.data + text.len };
	int year, month = 1, day = 1;

	if (text.len == 0 || text.len > DATE_MAX)
		return false;
	if (text.len != 4 && parse_epoch(text, ms))
		return true;
	if (!digits(&c, 4, 0, 9999, &year))
		return false;
	if (next_is(&c, '-')) {
		if (!digits(&c, 2, 1, 12, &month))
			return false;
		if (next_is(&c, '-') &&
		    !digits(&c, 2, 1, days_in(year, month), &day))
			return false;
	}
	*ms = 0;
	if (text.len > 10 && (c.at != text.data + 10 || !next_is(&c, 'T') ||
	    !time_of_day(&c, ms)))
		return false;
	*ms += days_of(year, month, day) * 86400000;
	return c.at == c.end;
}

bool
policy_number_parse(struct slice text, double *to)
{
	char copy[NUMBER_MAX + 1];
	uint32_t i = 0, whole, part = 1;

	if (text.len == 0 || text.len > NUMBER_MAX)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (copy[0] == '-' || copy[0] == '+')
		i++;
	whole = (uint32_t)strspn(copy + i, "0123456789");
	i += whole;
	if (copy[i] == '.') {
		part = (uint32_t)strspn(copy + i + 1, "0123456789");
		i += part + 1;
	}
	if (i != text.len || whole == 0 || part == 0)
		return false;
	*to = strtod(copy, NULL);
	return true;
}

int
policy_base64(struct slice text, uint8_t *to)
{
	int n, pad = 0;

	if (text.len % 4 != 0)
		return -1;
	if (text.len == 0)
		return 0;
	for (uint32_t i = text.len; i > text.len - 2 && text.data[i - 1] == '=';
	    i--)
		pad++;
	/* EVP_DecodeBlock is lax about blanks around the text. */
	for (uint32_t i = 0; i < text.len - (uint32_t)pad; i++) {
		uint8_t c = text.data[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9') || c == '+' || c == '/'))
			return -1;
	}
	n = EVP_DecodeBlock(to, text.data, (int)text.len);
	return n < 0 ? -1 : n - pad;
}
