/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks all workers something at once and waits for their answers, for pages
 * that people look at.
 * Thread: control; each worker answers on its own.
 * Bounds: INQUIRY_WAIT_MS; a worker that has not answered by then is missing.
 */
#ifndef WEIR_INQUIRY_H
#define WEIR_INQUIRY_H

struct gateway;
struct json_t;
struct worker;

enum { INQUIRY_WAIT_MS = 1000 };

/* An array of what answer() returned (a new reference each), in no order; the
 * caller's. */
struct json_t	*inquiry(struct gateway *g,
		    struct json_t *(*answer)(struct worker *w));

#endif
