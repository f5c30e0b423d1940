/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between tenancy.c and tenancy_member.c. Ownership, thread: as tenancy.h.
 */
#ifndef WEIR_TENANCY_PRIVATE_H
#define WEIR_TENANCY_PRIVATE_H

#include "gateway/tenancy.h"
#include "gateway/wire/codec.h"

/* One message on its way through. */
struct tenancy_walk {
	const struct request	*r;
	const struct names	*names;
	const char		*cluster_id;	/* that the tenant sees */
	struct arena		*arena;
	bool			 outward;
	enum tenancy_protocol	 protocol;
	const void		*drop;		/* the struct to leave out */
	int16_t			 fault;		/* an error code; inward, */
	const char		*why;		/* and a sentence, or NULL */
	bool			 too_long;	/* inward */
	uint32_t		 stopped;	/* left out; outward */
	bool			 odd;		/* not the consumer protocol */
};

enum codec_walk	 tenancy_visit(void *arg, const struct field *f, void *value,
		    void *parent);

#endif
