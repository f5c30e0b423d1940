/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/redis_slots.h"

#include <stdio.h>

/* CRC-16/XMODEM: polynomial 0x1021, from 0, as the Cluster specification has
 * it. Few keys are hashed, so no table. */
static uint16_t
crc16(struct slice s)
{
	uint32_t crc = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		crc ^= (uint32_t)s.data[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 :
			    crc << 1;
	}
	return (uint16_t)crc;
}

uint32_t
redis_slot(struct slice key)
{
	const uint8_t *open = key.len > 0 ? memchr(key.data, '{', key.len) :
	    NULL, *close;
	uint32_t rest;

	if (open == NULL)
		return crc16(key) % REDIS_SLOTS;
	rest = key.len - (uint32_t)(open + 1 - key.data);
	close = rest > 0 ? memchr(open + 1, '}', rest) : NULL;
	if (close != NULL && close > open + 1)
		key = (struct slice){ open + 1, (uint32_t)(close - open - 1) };
	return crc16(key) % REDIS_SLOTS;
}

static bool
read_number(struct slice s, int64_t most, int64_t *to)
{
	int64_t n = 0;

	if (s.len == 0 || s.len > 9)
		return false;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		n = n * 10 + (s.data[i] - '0');
	}
	*to = n;
	return n <= most;
}

/* An address or a host's name; of anything else nothing is asked. */
static bool
set_address(struct redis_address *to, struct slice host, int64_t port)
{
	memset(to, 0, sizeof(*to));
	if (host.len == 0 || host.len >= sizeof(to->host) || port < 1 ||
	    port > 65535)
		return false;
	for (uint32_t i = 0; i < host.len; i++) {
		uint8_t c = host.data[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c != 0 &&
		    strchr(".:-_%", c) != NULL)))
			return false;
	}
	memcpy(to->host, host.data, host.len);
	to->port = (int)port;
	return true;
}

/* ---- a Cluster ---- */

/* [host, port, ...]; without a host it is the one that was asked. One that is
 * not known yet is told as "?": false, and nobody serves those slots. */
static bool
read_node(const struct redis_reply *node, const struct redis_address *asked,
    struct redis_address *to)
{
	struct slice host = redis_reply_text(redis_reply_at(node, 0));
	int64_t port;

	if (host.len == 0)
		host = slice_of(asked->host);
	return redis_reply_integer(redis_reply_at(node, 1), &port) &&
	    set_address(to, host, port);
}

/* Its place among the nodes and one; 0: there are too many. */
static uint16_t
place_of(struct redis_slots *to, const struct redis_address *a)
{
	for (uint32_t i = 0; i < to->n; i++)
		if (to->nodes[i].port == a->port &&
		    strcasecmp(to->nodes[i].host, a->host) == 0)
			return (uint16_t)(i + 1);
	if (to->n == REDIS_NODES_MAX)
		return 0;
	to->nodes[to->n++] = *a;
	return (uint16_t)to->n;
}

/* [first, last, master, replica...] */
static bool
read_range(const struct redis_reply *range, const struct redis_address *asked,
    struct redis_slots *to, struct error *err)
{
	struct redis_address a;
	int64_t first, last;
	uint16_t place;

	if (!redis_reply_integer(redis_reply_at(range, 0), &first) ||
	    !redis_reply_integer(redis_reply_at(range, 1), &last) ||
	    first < 0 || last >= REDIS_SLOTS || first > last)
		return error_set(err, "the map of slots cannot be read");
	if (!read_node(redis_reply_at(range, 2), asked, &a))
		return true;
	place = place_of(to, &a);
	if (place == 0)
		return error_set(err, "the Cluster has more than %d masters",
		    REDIS_NODES_MAX);
	for (int64_t i = first; i <= last; i++) {
		if (to->owner[i] != 0)
			return error_set(err, "slot %d has two masters",
			    (int)i);
		to->owner[i] = place;
	}
	return true;
}

bool
redis_slots_read(const struct redis_reply *reply,
    const struct redis_address *asked, struct redis_slots *to,
    struct error *err)
{
	memset(to, 0, sizeof(*to));
	if (reply == NULL || reply->kind != REDIS_LIST)
		return error_set(err, "the map of slots cannot be read");
	for (uint32_t i = 0; i < reply->n; i++)
		if (!read_range(reply->v[i], asked, to, err))
			return false;
	return to->n > 0 || error_set(err, "nobody serves any slot yet");
}

/* What is before the next blank; the rest stays in *s. */
static struct slice
next_word(struct slice *s)
{
	const uint8_t *blank = s->len > 0 ? memchr(s->data, ' ', s->len) :
	    NULL;
	struct slice word = *s;

	if (blank == NULL) {
		*s = (struct slice){ s->data, 0 };
		return word;
	}
	word.len = (uint32_t)(blank - s->data);
	*s = (struct slice){ blank + 1, s->len - word.len - 1 };
	return word;
}

bool
redis_redirect_read(struct slice text, const struct redis_address *asked,
    uint32_t *slot, struct redis_address *to)
{
	struct slice host, number;
	const uint8_t *colon;
	int64_t n, port;

	next_word(&text);
	if (!read_number(next_word(&text), REDIS_SLOTS - 1, &n))
		return false;
	host = next_word(&text);
	colon = host.len > 0 ? memrchr(host.data, ':', host.len) : NULL;
	if (colon == NULL)
		return false;
	number = (struct slice){ colon + 1,
		host.len - (uint32_t)(colon + 1 - host.data) };
	host.len = (uint32_t)(colon - host.data);
	if (host.len == 0)
		host = slice_of(asked->host);
	*slot = (uint32_t)n;
	return read_number(number, 65535, &port) && set_address(to, host, port);
}

/* ---- Sentinels ---- */

bool
redis_master_read(const struct redis_reply *reply, struct redis_address *to)
{
	int64_t port;

	return read_number(redis_reply_text(redis_reply_at(reply, 1)), 65535,
	    &port) && set_address(to,
	    redis_reply_text(redis_reply_at(reply, 0)), port);
}

/* ["message", "+switch-master", "name old-host old-port host port"] */
bool
redis_switch_read(const struct redis_reply *message, const char *name,
    struct redis_address *to)
{
	struct slice text = redis_reply_text(redis_reply_at(message, 2)), host;
	int64_t port;

	if (!slice_is(redis_reply_text(redis_reply_at(message, 1)),
	    "+switch-master") || !slice_is(next_word(&text), name))
		return false;
	next_word(&text);
	next_word(&text);
	host = next_word(&text);
	return read_number(next_word(&text), 65535, &port) &&
	    set_address(to, host, port);
}
