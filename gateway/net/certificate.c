/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/certificate.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* Keeps a copy with a NUL behind it; NULL: no room. */
static const char *
keep(struct certificate *to, const void *data, size_t len)
{
	char *at = to->text + to->used;

	if (len >= sizeof(to->text) - to->used)
		return NULL;
	if (len > 0)
		memcpy(at, data, len);
	at[len] = '\0';
	to->used += (uint32_t)len + 1;
	return at;
}

static bool
has_control(const unsigned char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

/* RFC 2253 would write a control byte as \00, which a rule could match by
 * mistake: there is none in honest names. */
static bool
is_plain_name(const X509_NAME *n)
{
	for (int i = 0; i < X509_NAME_entry_count(n); i++) {
		const ASN1_STRING *s = X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(n, i));
		unsigned char *utf8 = NULL;
		int len = ASN1_STRING_to_UTF8(&utf8, s);
		bool bad = len < 0 || has_control(utf8, (size_t)len);

		OPENSSL_free(utf8);
		if (bad)
			return false;
	}
	return true;
}

/* Without ESC_MSB: UTF-8 stays as it is. */
static bool
read_name(const X509_NAME *n, struct certificate *to, const char **text,
    const char *what, struct error *err)
{
	BIO *b;
	char *data;
	long len;

	if (!is_plain_name(n))
		return error_set(err, "its %s has a control byte or is not "
		    "text", what);
	b = BIO_new(BIO_s_mem());
	*text = NULL;
	if (b != NULL && X509_NAME_print_ex(b, n, 0, XN_FLAG_RFC2253 &
	    ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
		len = BIO_get_mem_data(b, &data);
		*text = keep(to, data, len > 0 ? (size_t)len : 0);
	}
	BIO_free(b);
	return *text != NULL || error_set(err, "its %s is too long", what);
}

/* is_plain_name has seen it. The most specific one is the last. */
static bool
read_common_name(const X509_NAME *n, struct certificate *to,
    struct error *err)
{
	unsigned char *utf8 = NULL;
	int at = -1, last = -1, len = 0;

	while ((at = X509_NAME_get_index_by_NID(n, NID_commonName, at)) >= 0)
		last = at;
	if (last >= 0)
		len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(n, last)));
	to->common_name = keep(to, utf8, len > 0 ? (size_t)len : 0);
	OPENSSL_free(utf8);
	return to->common_name != NULL ||
	    error_set(err, "its common name is too long");
}

static bool
add_name(struct certificate *to, enum certificate_kind kind,
    const ASN1_STRING *s, struct error *err)
{
	const unsigned char *data = ASN1_STRING_get0_data(s);
	int len = ASN1_STRING_length(s);
	const char *text;

	if (len <= 0 || has_control(data, (size_t)len))
		return error_set(err, "an alternative name is empty or has a "
		    "control byte");
	for (int i = 0; i < len; i++)
		if (data[i] > 0x7e)
			return error_set(err, "an alternative name is not "
			    "ASCII");
	if (to->name_count == CERTIFICATE_NAMES_MAX)
		return error_set(err, "it has more than %d alternative names",
		    CERTIFICATE_NAMES_MAX);
	text = keep(to, data, (size_t)len);
	if (text == NULL)
		return error_set(err, "its names are longer than %d bytes",
		    CERTIFICATE_TEXT_MAX);
	to->names[to->name_count++] = (struct certificate_name){ kind, text };
	return true;
}

/* Other kinds (addresses, directory names) are left out. */
static bool
add_general_name(struct certificate *to, const GENERAL_NAME *g,
    struct error *err)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);

	switch (type) {
	case GEN_DNS:
		return add_name(to, CERTIFICATE_DNS, s, err);
	case GEN_URI:
		return add_name(to, CERTIFICATE_URI, s, err);
	case GEN_EMAIL:
		return add_name(to, CERTIFICATE_EMAIL, s, err);
	default:
		return true;
	}
}

static bool
read_names(X509 *x, struct certificate *to, struct error *err)
{
	int critical;
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name,
	    &critical, NULL);
	bool ok = true;

	if (all == NULL)
		return critical == -1 || error_set(err, "its alternative "
		    "names cannot be read");
	for (int i = 0; ok && i < sk_GENERAL_NAME_num(all); i++)
		ok = add_general_name(to, sk_GENERAL_NAME_value(all, i), err);
	GENERAL_NAMES_free(all);
	return ok;
}

static bool
read_digest(X509 *x, struct certificate *to, struct error *err)
{
	unsigned int len = 0;
	unsigned char text[48];

	if (X509_digest(x, EVP_sha256(), to->sha256, &len) != 1 ||
	    len != sizeof(to->sha256))
		return error_set(err, "its SHA-256 cannot be computed");
	EVP_EncodeBlock(text, to->sha256, sizeof(to->sha256));
	for (size_t i = 0; i < sizeof(to->x5t_s256) - 1; i++)
		to->x5t_s256[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' :
		    (char)text[i];
	return true;
}

static bool
read_end(X509 *x, struct certificate *to, struct error *err)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return error_set(err, "its end cannot be read");
	to->not_after = (int64_t)timegm(&tm);
	return true;
}

bool
certificate_read(X509 *x, struct certificate *to, struct error *err)
{
	bool ok;

	memset(to, 0, sizeof(*to));
	ok = read_name(X509_get_subject_name(x), to, &to->subject, "subject",
	    err) &&
	    read_name(X509_get_issuer_name(x), to, &to->issuer, "issuer",
	    err) &&
	    read_common_name(X509_get_subject_name(x), to, err) &&
	    read_names(x, to, err) && read_digest(x, to, err) &&
	    read_end(x, to, err);
	ERR_clear_error();
	return ok;
}
