/* SPDX-License-Identifier: Apache-2.0 */
/* ApiVersions ends here: what all brokers offer, within what weir speaks. */
#include <ctype.h>

#include "gateway/forward.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "wire/messages.h"

enum { KEYS = 128, FEATURES_SINCE = 3, ZERO_FEATURE_SINCE = 4 };

static void
list_apis(const struct cluster *c, struct api_versions_response *to,
    struct arena *a)
{
	to->api_keys.v = ARENA_ARRAY(a, struct api_versions_response_api_keys,
	    KEYS);
	for (int16_t key = 0; key < KEYS; key++) {
		const struct api_row *row = api_find(key);
		int16_t min, max;

		if (row == NULL || !api_offered(row, c, &min, &max))
			continue;
		/* librdkafka turns compression off when Produce does not begin
		 * at 0 (KAFKA-18659). */
		if (key == API_PRODUCE)
			min = 0;
		to->api_keys.v[to->api_keys.n++] =
		    (struct api_versions_response_api_keys){ key, min, max };
	}
}

static void
list_features(const struct cluster *c, int version,
    struct api_versions_response *to, struct arena *a)
{
	int32_t n = c->feature_count;

	to->finalized_features_epoch = c->features_epoch;
	to->supported_features.v = ARENA_ARRAY(a,
	    struct api_versions_response_supported_features, n + 1);
	to->finalized_features.v = ARENA_ARRAY(a,
	    struct api_versions_response_finalized_features, n + 1);
	for (int32_t i = 0; i < n; i++) {
		const struct feature *f = &c->features[i];
		int16_t min = f->supported_min;

		/* Clients before version 4 take a range from 0 for an error. */
		if (min < 1 && version < ZERO_FEATURE_SINCE)
			min = 1;
		if (f->supported_max >= min)
			to->supported_features.v[to->supported_features.n++] =
			    (struct api_versions_response_supported_features){
			    f->name, min, f->supported_max };
		if (f->finalized_max > 0)
			to->finalized_features.v[to->finalized_features.n++] =
			    (struct api_versions_response_finalized_features){
			    f->name, f->finalized_max, f->finalized_min };
	}
}

/* KIP-511: letters, digits, '-' and '.', neither first nor last of them. */
static bool
valid_software(struct slice s)
{
	if (s.len == 0 || !isalnum(s.data[0]) || !isalnum(s.data[s.len - 1]))
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if (!isalnum(s.data[i]) && s.data[i] != '-' &&
		    s.data[i] != '.')
			return false;
	return true;
}

void
api_api_versions(struct request *r)
{
	const struct api_versions_request *q = r->body;
	struct api_versions_response *to = codec_new(
	    &api_versions_response_message, &r->arena);

	if (r->version >= FEATURES_SINCE) {
		if (!valid_software(q->client_software_name) ||
		    !valid_software(q->client_software_version)) {
			to->error_code = KAFKA_INVALID_REQUEST;
			request_answer(r, to);
			return;
		}
		session_named(r->session, q->client_software_name,
		    q->client_software_version);
		list_features(r->worker->cluster, r->version, to, &r->arena);
	}
	list_apis(r->worker->cluster, to, &r->arena);
	request_answer(r, to);
}

void
api_versions_too_new(struct request *r)
{
	struct api_versions_response *to = codec_new(
	    &api_versions_response_message, &r->arena);

	to->error_code = KAFKA_UNSUPPORTED_VERSION;
	list_apis(r->worker->cluster, to, &r->arena);
	request_answer_version(r, 0, to);
}
