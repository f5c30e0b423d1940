/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "gateway/net/certificate.h"

static EVP_PKEY *key;
static struct certificate found;
static struct error err;

static int
make_key(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-256");
	return key == NULL;
}

static int
drop_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static X509 *
new_certificate(void)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_TIME_set_string(X509_getm_notBefore(x), "20200101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(x), "20330518033320Z");
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
	    (const unsigned char *)"orders", -1, -1, 0);
	n = X509_get_issuer_name(x);
	X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
	    (const unsigned char *)"Caf\xc3\xa9, Ltd", -1, -1, 0);
	return x;
}

static void
add_name(GENERAL_NAMES *all, int type, const char *data, int len)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(s, data, len), 1);
	GENERAL_NAME_set0_value(g, type, s);
	sk_GENERAL_NAME_push(all, g);
}

static void
set_names(X509 *x, GENERAL_NAMES *all)
{
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0,
	    X509V3_ADD_DEFAULT), 1);
	GENERAL_NAMES_free(all);
}

static bool
reads(X509 *x)
{
	bool ok;

	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	ok = certificate_read(x, &found, &err);
	X509_free(x);
	return ok;
}

static void
expect_refused(X509 *x, const char *says)
{
	assert_false(reads(x));
	if (strstr(err.text, says) == NULL)
		fail_msg("\"%s\" has no \"%s\"", err.text, says);
}

static X509 *
with_name(int type, const char *data, int len)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	X509 *x = new_certificate();

	add_name(all, type, data, len);
	set_names(x, all);
	return x;
}

static void
test_facts(void **state)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	X509 *x = new_certificate();

	(void)state;
	add_name(all, GEN_DNS, "orders.example.com", 18);
	add_name(all, GEN_URI, "spiffe://example.com/ns/a/sa/orders", 35);
	add_name(all, GEN_EMAIL, "a+b@example.com", 15);
	set_names(x, all);
	assert_true(reads(x));
	assert_string_equal(found.subject, "CN=orders");
	assert_string_equal(found.issuer, "O=Caf\xc3\xa9\\, Ltd");
	assert_int_equal(found.name_count, 3);
	assert_int_equal(found.names[0].kind, CERTIFICATE_DNS);
	assert_string_equal(found.names[0].text, "orders.example.com");
	assert_int_equal(found.names[1].kind, CERTIFICATE_URI);
	assert_string_equal(found.names[1].text,
	    "spiffe://example.com/ns/a/sa/orders");
	assert_int_equal(found.names[2].kind, CERTIFICATE_EMAIL);
	assert_string_equal(found.names[2].text, "a+b@example.com");
	assert_true(found.not_after == 2000000000);
}

static void
test_digest(void **state)
{
	X509 *x = new_certificate();
	unsigned char *der = NULL, text[48], sum[32];
	int len;

	(void)state;
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	len = i2d_X509(x, &der);
	assert_true(len > 0);
	assert_true(certificate_read(x, &found, &err));
	EVP_Digest(der, (size_t)len, sum, NULL, EVP_sha256(), NULL);
	assert_memory_equal(found.sha256, sum, 32);
	assert_int_equal(strlen(found.x5t_s256), 43);
	EVP_EncodeBlock(text, sum, 32);
	for (int i = 0; i < 43; i++)
		assert_int_equal(found.x5t_s256[i], text[i] == '+' ? '-' :
		    text[i] == '/' ? '_' : text[i]);
	OPENSSL_free(der);
	X509_free(x);
}

/* Alternative names alone, and other kinds of them. */
static void
test_empty_subject(void **state)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS("10.0.0.1");
	X509 *x = new_certificate();
	X509_NAME *n = X509_NAME_new();

	(void)state;
	X509_set_subject_name(x, n);
	X509_NAME_free(n);
	GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
	sk_GENERAL_NAME_push(all, g);
	add_name(all, GEN_DNS, "a.example.com", 13);
	set_names(x, all);
	assert_true(reads(x));
	assert_string_equal(found.subject, "");
	assert_int_equal(found.name_count, 1);
}

static void
test_no_alternative_names(void **state)
{
	(void)state;
	assert_true(reads(new_certificate()));
	assert_int_equal(found.name_count, 0);
}

static void
test_nul_in_names(void **state)
{
	static const struct {
		int		 type;
		const char	*data;
		int		 len;
	} rows[] = {
		{ GEN_DNS, "good.example.com\0.evil.net", 26 },
		{ GEN_DNS, "\0", 1 },
		{ GEN_DNS, "", 0 },
		{ GEN_URI, "spiffe://a/b\0c", 14 },
		{ GEN_EMAIL, "a@b\nc", 5 },
		{ GEN_EMAIL, "a@b\x7f", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		expect_refused(with_name(rows[i].type, rows[i].data,
		    rows[i].len), "empty or has a control byte");
	expect_refused(with_name(GEN_DNS, "caf\xc3\xa9.example", 13),
	    "not ASCII");
}

static void
test_nul_in_subject(void **state)
{
	static const struct {
		int		 type;
		const char	*data;
		int		 len;
	} rows[] = {
		{ V_ASN1_UTF8STRING, "orders\0x", 8 },
		{ V_ASN1_PRINTABLESTRING, "orders\0x", 8 },
		{ V_ASN1_BMPSTRING, "\0o\0\0\0x", 6 },
		{ V_ASN1_UTF8STRING, "a\nb", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		X509 *x = new_certificate();

		X509_NAME_add_entry_by_NID(X509_get_subject_name(x),
		    NID_organizationName, rows[i].type,
		    (const unsigned char *)rows[i].data, rows[i].len, -1, 0);
		expect_refused(x, "its subject has a control byte");
	}
}

/* What has zero bytes only because of its encoding is a name as any other. */
static void
test_wide_subject(void **state)
{
	X509 *x = new_certificate();

	(void)state;
	X509_NAME_add_entry_by_NID(X509_get_subject_name(x),
	    NID_organizationName, V_ASN1_BMPSTRING,
	    (const unsigned char *)"\0o\0k", 4, -1, 0);
	assert_true(reads(x));
	assert_non_null(strstr(found.subject, "O="));
}

static void
test_bounds(void **state)
{
	static char longest[CERTIFICATE_TEXT_MAX];
	GENERAL_NAMES *all;
	X509 *x;

	(void)state;
	for (int n = CERTIFICATE_NAMES_MAX; n <= CERTIFICATE_NAMES_MAX + 1;
	    n++) {
		all = GENERAL_NAMES_new();
		x = new_certificate();
		for (int i = 0; i < n; i++)
			add_name(all, GEN_DNS, "a.example.com", 13);
		set_names(x, all);
		if (n > CERTIFICATE_NAMES_MAX)
			expect_refused(x, "more than 64");
		else
			assert_true(reads(x));
	}
	memset(longest, 'a', sizeof(longest));
	assert_true(reads(with_name(GEN_URI, longest,
	    CERTIFICATE_TEXT_MAX - 100)));
	expect_refused(with_name(GEN_URI, longest, CERTIFICATE_TEXT_MAX),
	    "longer than 8192");
}

/* Names that are no list of names. */
static void
test_broken_extension(void **state)
{
	X509 *x = new_certificate();
	ASN1_OCTET_STRING *o = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	(void)state;
	ASN1_OCTET_STRING_set(o, (const unsigned char *)"\x30\x05\x82\x10"
	    "abc", 7);
	e = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, o);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(o);
	expect_refused(x, "cannot be read");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_empty_subject),
		cmocka_unit_test(test_no_alternative_names),
		cmocka_unit_test(test_nul_in_names),
		cmocka_unit_test(test_nul_in_subject),
		cmocka_unit_test(test_wide_subject),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_broken_extension),
	};

	return cmocka_run_group_tests(tests, make_key, drop_key);
}
