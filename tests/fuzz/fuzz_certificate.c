/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate in DER: what is told of it is text without control bytes,
 * inside its bounds, and the same each time.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "gateway/net/certificate.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct certificate *c, const char *s)
{
	assert(s >= c->text && s < c->text + c->used);
	for (; *s != '\0'; s++) {
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
		assert(s + 1 < c->text + c->used);
	}
}

static void
check(const struct certificate *c)
{
	assert(c->used <= CERTIFICATE_TEXT_MAX);
	assert(c->name_count <= CERTIFICATE_NAMES_MAX);
	check_text(c, c->subject);
	check_text(c, c->issuer);
	for (uint32_t i = 0; i < c->name_count; i++) {
		check_text(c, c->names[i].text);
		assert(c->names[i].text[0] != '\0');
	}
	assert(strlen(c->x5t_s256) == 43);
	assert(strpbrk(c->x5t_s256, "+/=") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct certificate one, two;
	const unsigned char *at = data;
	struct error err = { "" };
	X509 *x = d2i_X509(NULL, &at, (long)size);

	if (x != NULL) {
		if (certificate_read(x, &one, &err)) {
			check(&one);
			assert(certificate_read(x, &two, &err));
			assert(memcmp(one.text, two.text, one.used) == 0);
		} else {
			assert(err.text[0] != '\0');
		}
	}
	X509_free(x);
	ERR_clear_error();
	return 0;
}
