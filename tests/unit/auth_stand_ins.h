/* SPDX-License-Identifier: Apache-2.0 */
/* What links in place of parts of auth/ that are not there yet; the parts
 * themselves go before these once they are. */
#ifndef WEIR_TESTS_AUTH_STAND_INS_H
#define WEIR_TESTS_AUTH_STAND_INS_H

struct policy;

void policy_unref(struct policy *p);
__attribute__((weak)) void
policy_unref(struct policy *p)
{
	(void)p;
}

#endif
