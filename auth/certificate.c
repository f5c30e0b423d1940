/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

struct principal *
auth_certificate_principal(const struct auth *a,
    const struct auth_certificate *c, struct error *err)
{
	(void)a;
	(void)c;
	error_set(err, "no rule fits the certificate");
	return NULL;
}
