/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is told: one reply out of what the feeds of a slot have
 * brought.
 *
 * Ownership: the reply lives in the request's arena and refers to the feeds'
 * replies, which must stay until it is encoded.
 * Thread: worker.
 * Bounds: the client's max_bytes, and one partition's records if they alone are
 * more.
 */
#ifndef WEIR_FETCH_ANSWER_H
#define WEIR_FETCH_ANSWER_H

#include "gateway/fetch_session.h"

struct fetch_response;
struct request;

/* Takes what is ready (fetch_feed_match says so) up to max_bytes; of records
 * nothing when it is starved: they stay for the next Fetch. */
struct fetch_response *fetch_answer(struct request *r,
	    const struct fetch_choice *choice, int64_t max_bytes,
	    int8_t isolation, bool starved);

#endif
