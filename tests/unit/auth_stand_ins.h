/* SPDX-License-Identifier: Apache-2.0 */
/* What links in place of parts of auth/ that are not there yet; the parts
 * themselves go before these once they are. */
#ifndef WEIR_TESTS_AUTH_STAND_INS_H
#define WEIR_TESTS_AUTH_STAND_INS_H

struct policy;

extern const char msk_iam_stand_in[64] __asm__("auth_msk_iam");
__attribute__((weak)) const char msk_iam_stand_in[64] = "";
extern const char oauthbearer_stand_in[64] __asm__("auth_oauthbearer");
__attribute__((weak)) const char oauthbearer_stand_in[64] = "";
void policy_unref(struct policy *p);
__attribute__((weak)) void
policy_unref(struct policy *p)
{
	(void)p;
}

#endif
