/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wire/frame.h"

enum { API_KEY_API_VERSIONS = 18 };

static bool
has_version(const struct api_schema *api, int version)
{
	return version >= api->since && version <= api->until;
}

/* KIP-511: a client that does not know the broker yet must be able to read it,
 * so this one response keeps the oldest header. */
static bool
response_is_flexible(const struct api_schema *api, int version)
{
	return version >= api->flexible_since &&
	    api->key != API_KEY_API_VERSIONS;
}

bool
frame_read_request(struct reader *r, struct frame_request *h)
{
	h->api_key = reader_int16(r);
	h->version = reader_int16(r);
	h->correlation_id = reader_int32(r);
	h->client_id = reader_string(r);
	h->schema = api_schema_find(h->api_key);
	if (r->fault == NULL && h->client_id.len > FRAME_CLIENT_ID_MAX)
		r->fault = "client id too long";
	if (r->fault != NULL)
		return false;
	if (h->schema != NULL && has_version(h->schema, h->version) &&
	    h->version >= h->schema->flexible_since)
		reader_skip_tags(r);
	return r->fault == NULL;
}

bool
frame_read_response(struct reader *r, const struct api_schema *api,
    int version, int32_t *correlation_id)
{
	*correlation_id = reader_int32(r);
	if (response_is_flexible(api, version))
		reader_skip_tags(r);
	return r->fault == NULL;
}

/* The body, then the length before it all; moved to `out` when it is whole. */
static bool
finish(struct writer *w, struct chain *out, uint8_t *length,
    const struct message *m, int version, const void *body, struct error *err)
{
	bool ok = codec_encode(w, m, version, body, err);
	size_t size = writer_size(w) - 4;

	writer_finish(w);
	if (ok && size > INT32_MAX)
		ok = error_set(err, "%s: frame over 2 GiB", m->name);
	if (ok) {
		uint32_t be = __builtin_bswap32((uint32_t)size);

		memcpy(length, &be, sizeof(be));
		chain_move(out, w->out);
	}
	chain_fini(w->out);
	return ok;
}

bool
frame_write_request(struct chain *out, const struct api_schema *api,
    int version, int32_t correlation_id, struct slice client_id,
    const void *body, struct error *err)
{
	struct chain frame;
	struct writer w;
	uint8_t *length;

	if (client_id.len > INT16_MAX)
		return error_set(err, "client id over 32767 bytes");
	chain_init(&frame);
	writer_init(&w, &frame);
	length = writer_reserve4(&w);
	writer_int16(&w, api->key);
	writer_int16(&w, (int16_t)version);
	writer_int32(&w, correlation_id);
	writer_string(&w, client_id);
	if (version >= api->flexible_since)
		writer_int8(&w, 0);
	return finish(&w, out, length, api->request, version, body, err);
}

bool
frame_write_response(struct chain *out, const struct api_schema *api,
    int version, int32_t correlation_id, const void *body, struct error *err)
{
	struct chain frame;
	struct writer w;
	uint8_t *length;

	chain_init(&frame);
	writer_init(&w, &frame);
	length = writer_reserve4(&w);
	writer_int32(&w, correlation_id);
	if (response_is_flexible(api, version))
		writer_int8(&w, 0);
	return finish(&w, out, length, api->response, version, body, err);
}
