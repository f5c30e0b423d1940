/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/offer.h"

#include "wire/messages.h"

/* Its place, or -1. */
static int32_t
find_feature(const struct offer *o, struct slice name)
{
	for (int32_t i = 0; i < o->feature_count; i++)
		if (slice_is(name, o->features[i].name))
			return i;
	return -1;
}

static void
take_supported(struct offer *to,
    const struct api_versions_response_supported_features *f)
{
	struct offered_feature *x = &to->features[to->feature_count];

	if (to->feature_count == OFFER_FEATURES_MAX || f->name.len == 0 ||
	    f->name.len >= OFFER_NAME_MAX ||
	    memchr(f->name.data, '\0', f->name.len) != NULL ||
	    find_feature(to, f->name) >= 0)
		return;
	memcpy(x->name, f->name.data, f->name.len);
	x->supported_min = f->min_version;
	x->supported_max = f->max_version;
	x->finalized_min = x->finalized_max = -1;
	to->feature_count++;
}

void
offer_take(struct offer *to, const struct api_versions_response *v)
{
	memset(to, 0, sizeof(*to));
	to->known = true;
	to->features_epoch = v->finalized_features_epoch;
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		to->apis[i] = (struct api_range){ 0, -1 };
	for (int32_t i = 0; i < v->api_keys.n; i++) {
		const struct api_versions_response_api_keys *k =
		    &v->api_keys.v[i];

		if (k->api_key >= 0 && k->api_key < CLUSTER_API_MAX)
			to->apis[k->api_key] = (struct api_range){
			    k->min_version, k->max_version };
	}
	for (int32_t i = 0; i < v->supported_features.n; i++)
		take_supported(to, &v->supported_features.v[i]);
	for (int32_t i = 0; i < v->finalized_features.n; i++) {
		const struct api_versions_response_finalized_features *f =
		    &v->finalized_features.v[i];
		int32_t at = find_feature(to, f->name);

		if (at < 0)
			continue;
		to->features[at].finalized_min = f->min_version_level;
		to->features[at].finalized_max = f->max_version_level;
	}
}

bool
offer_equal(const struct offer *a, const struct offer *b)
{
	/* Both were zeroed as a whole before they were filled. */
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
narrow(int16_t *min, int16_t *max, int16_t other_min, int16_t other_max)
{
	if (other_min > *min)
		*min = other_min;
	if (other_max < *max)
		*max = other_max;
}

static void
join_features(struct offer *to, const struct offer *other)
{
	bool newer = other->features_epoch > to->features_epoch;
	int32_t n = 0;

	for (int32_t i = 0; i < to->feature_count; i++) {
		struct offered_feature f = to->features[i];
		int32_t at = find_feature(other, slice_of(f.name));
		const struct offered_feature *x;

		if (at < 0)
			continue;
		x = &other->features[at];
		narrow(&f.supported_min, &f.supported_max, x->supported_min,
		    x->supported_max);
		if (newer) {
			f.finalized_min = x->finalized_min;
			f.finalized_max = x->finalized_max;
		}
		if (f.supported_min <= f.supported_max)
			to->features[n++] = f;
	}
	memset(&to->features[n], 0,
	    (size_t)(OFFER_FEATURES_MAX - n) * sizeof(to->features[0]));
	to->feature_count = n;
	if (newer)
		to->features_epoch = other->features_epoch;
}

void
offer_join(struct offer *to, const struct offer *other)
{
	if (!other->known)
		return;
	if (!to->known) {
		*to = *other;
		return;
	}
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		narrow(&to->apis[i].min, &to->apis[i].max, other->apis[i].min,
		    other->apis[i].max);
	join_features(to, other);
}
