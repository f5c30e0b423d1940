/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes that members of a classic group hand each other. Brokers read those
 * of the consumer protocol, so the topics in them must be the cluster's: to
 * tell whether a group still reads a topic (OffsetDelete), and when a classic
 * group becomes a consumer group (KIP-848). Other protocols are between the
 * members.
 *
 * JoinGroup says the protocol's type; SyncGroup and its reply only since
 * version 5. Before that it is taken for the consumer's when it decodes to the
 * last byte and every topic in it is one; Connect's and others' do not.
 */
#include <ctype.h>

#include "gateway/base/block.h"
#include "gateway/tenancy_private.h"
#include "routing/names.h"
#include "wire/messages.h"

/* What Kafka allows in a topic's name. */
static bool
looks_like_topic(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (!isalnum(s.data[i]) && s.data[i] != '.' &&
		    s.data[i] != '_' && s.data[i] != '-')
			return false;
	return s.len > 0;
}

static enum codec_walk
probe_visit(void *arg, const struct field *f, void *value, void *parent)
{
	struct tenancy_walk *w = arg;
	const struct slice *name = value;

	(void)parent;
	if (f->meaning == MEANING_topic)
		w->odd |= w->outward ?
		    !names_owns(w->names, NAME_TOPIC, *name) :
		    !looks_like_topic(*name);
	return CODEC_KEEP;
}

static struct slice
encoded(struct tenancy_walk *w, const struct message *m, int16_t version,
    int known, const void *obj, struct slice rest)
{
	struct slice to = SLICE_NULL;
	struct writer out;
	struct chain c;
	struct error err;
	uint8_t *bytes;

	chain_init(&c);
	writer_init(&out, &c);
	writer_int16(&out, version);
	if (codec_encode(&out, m, known, obj, &err)) {
		writer_bytes(&out, rest.data, rest.len);
		writer_finish(&out);
		bytes = arena_get(w->arena, c.bytes + 1);
		chain_copy_out(&c, bytes);
		to = (struct slice){ bytes, (uint32_t)c.bytes };
	}
	chain_fini(&c);
	return to;
}

struct slice
tenancy_member(struct tenancy_walk *w, bool assignment, struct slice bytes)
{
	const struct message *m = assignment ?
	    &consumer_protocol_assignment_message :
	    &consumer_protocol_subscription_message;
	struct slice to;
	struct reader rd;
	int16_t version;
	int known;
	void *obj;

	if (w->protocol == TENANCY_OTHER || bytes.len == 0)
		return bytes;
	reader_init(&rd, bytes.data, bytes.len, NULL);
	version = reader_int16(&rd);
	if (version < 0)
		return bytes;
	/* Newer ones only add at the end. */
	known = version > m->until ? m->until : version;
	w->arena->cap = w->arena->used + (size_t)TENANCY_FACTOR * bytes.len +
	    TENANCY_ROOM;
	obj = codec_decode(&rd, m, known, w->arena);
	if (obj == NULL)
		return bytes;
	if (w->protocol == TENANCY_UNKNOWN) {
		w->odd = rd.p != rd.end;
		codec_walk(m, known, obj, probe_visit, w);
		if (w->odd)
			return bytes;
	}
	codec_walk(m, known, obj, tenancy_visit, w);
	to = encoded(w, m, version, known, obj, (struct slice){ rd.p,
	    (uint32_t)(rd.end - rd.p) });
	return to.data != NULL ? to : bytes;
}
