/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks such as 10.0.0.0/8 or 2001:db8::/32, and whether an address lies in
 * one. IPv4 is kept as IPv4-mapped IPv6, so both spellings of a peer match.
 * Ownership: the list's array is malloc'd; cidr_list_free. Thread: any.
 */
#ifndef WEIR_BASE_CIDR_H
#define WEIR_BASE_CIDR_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"

struct sockaddr;

struct cidr {
	uint8_t		 address[16];
	uint8_t		 bits;		/* 0 .. 128; IPv4's are 96 more */
};

struct cidr_list {
	struct cidr	*v;
	uint32_t	 n;
};

/* A network, or one address. Bits set outside the network are a fault. */
bool	 cidr_parse(const char *text, struct cidr *to, struct error *err)
	MUST_CHECK;
void	 cidr_list_add(struct cidr_list *l, const struct cidr *c);
void	 cidr_list_free(struct cidr_list *l);
/* True when any network of the list holds the address (of AF_INET or
 * AF_INET6; another family is in none). */
bool	 cidr_list_has(const struct cidr_list *l, const struct sockaddr *a);

#endif
