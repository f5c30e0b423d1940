/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request and response headers. Versions as
 * https://kafka.apache.org/protocol#protocol_messages: request header v1, v2
 * when the API's version is flexible; response header v0, v1 when flexible,
 * but always v0 for ApiVersions (KIP-511).
 * Ownership: slices point into the frame. Thread: any.
 */
#ifndef WEIR_WIRE_FRAME_H
#define WEIR_WIRE_FRAME_H

#include "gateway/wire/codec.h"

enum { FRAME_CLIENT_ID_MAX = 1024 };

struct frame_request {
	int16_t		 api_key, version;
	int32_t		 correlation_id;
	struct slice	 client_id;		/* may be null */
	const struct api_schema *schema;	/* NULL: unknown key */
};

/* Reads a request header. When the key or the version is not in the schema the
 * fields up to client_id are still there (ApiVersions needs them) and the body
 * cannot be read: check schema and its versions. False: r->fault says why. */
bool	 frame_read_request(struct reader *r, struct frame_request *h)
	MUST_CHECK;
/* Reads a response header of that API and version; gives the correlation id. */
bool	 frame_read_response(struct reader *r, const struct api_schema *api,
	    int version, int32_t *correlation_id) MUST_CHECK;

/* Appends a whole frame, length first, to `out`. On false nothing was
 * appended. */
bool	 frame_write_request(struct chain *out, const struct api_schema *api,
	    int version, int32_t correlation_id, struct slice client_id,
	    const void *body, struct error *err) MUST_CHECK;
bool	 frame_write_response(struct chain *out, const struct api_schema *api,
	    int version, int32_t correlation_id, const void *body,
	    struct error *err) MUST_CHECK;

#endif
