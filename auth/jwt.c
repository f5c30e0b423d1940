/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwt.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "auth/base64url.h"
#include "auth/strict_json.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

static const int64_t TIME_MAX = 253402300799;	/* 9999-12-31T23:59:59Z */

/* A token in its parts; the buffers hold what they stand for. */
struct parts {
	struct slice	 signed_text;	/* header.claims, as signed */
	struct slice	 header, claims, signature;
	uint8_t		 bytes[BASE64URL_BYTES(JWT_SIZE_MAX)];
};

static enum auth_result
malformed(struct auth_step *to, const char *what)
{
	return auth_fail(to, AUTH_FAILURE_MALFORMED, "the token %s", what);
}

/* ---- form ---- */

/* Decodes one part behind what was decoded before. */
static bool
decode_part(struct parts *p, struct slice text, size_t *used,
    struct slice *to)
{
	uint8_t *at = p->bytes + *used;
	size_t n;

	if (text.len == 0 || !base64url_decode(text, at,
	    sizeof(p->bytes) - *used, &n))
		return false;
	*to = (struct slice){ at, (uint32_t)n };
	*used += n;
	return true;
}

static bool
split(struct slice token, struct parts *p)
{
	struct slice text[3];
	uint32_t from = 0;
	size_t used = 0;
	int n = 0;

	for (uint32_t i = 0; i <= token.len; i++) {
		if (i < token.len && token.data[i] != '.')
			continue;
		if (n == 3)
			return false;
		if (n == 2)
			p->signed_text = (struct slice){ token.data, from - 1 };
		text[n++] = (struct slice){ token.data + from, i - from };
		from = i + 1;
	}
	return n == 3 && decode_part(p, text[0], &used, &p->header) &&
	    decode_part(p, text[1], &used, &p->claims) &&
	    decode_part(p, text[2], &used, &p->signature);
}

/* ---- the header ---- */

static bool
has_prefix(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && strncasecmp((const char *)s.data, prefix, n) == 0;
}

static bool
same_type(struct slice s, const char *type)
{
	return s.len == strlen(type) && has_prefix(s, type);
}

/* A media type: in any case, application/ may be left out (RFC 7515 4.1.9).
 * Without `type` in the settings a token need not have one (many issuers leave
 * it out), but may not have another. */
static bool
check_type(const json_t *header, const char *type)
{
	const json_t *v = json_object_get(header, "typ");
	struct slice s = strict_json_text(header, "typ");

	if (v == NULL)
		return type == NULL;
	if (s.data == NULL)
		return false;
	if (has_prefix(s, "application/")) {
		s.data += strlen("application/");
		s.len -= (uint32_t)strlen("application/");
	}
	if (type != NULL)
		return same_type(s, type);
	return same_type(s, "JWT") || same_type(s, "at+jwt");
}

static uint32_t
allowed_algorithms(const struct auth_jwt_settings *s)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < s->algorithms.n; i++) {
		int a = jwt_algorithm_find(slice_of(s->algorithms.v[i]));

		if (a >= 0)
			bits |= 1u << a;
	}
	return bits;
}

/* crit lists extensions that must be understood: we know of none. b64 changes
 * what is signed (RFC 7797), enc makes it something else, zip packs it. */
static bool
check_members(const json_t *header, struct auth_step *to)
{
	static const char *const unknown[] = { "crit", "b64", "enc", "zip" };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		if (json_object_get(header, unknown[i]) == NULL)
			continue;
		auth_fail(to, AUTH_FAILURE_MALFORMED, "the token's header "
		    "asks for what weir does not do: %s", unknown[i]);
		return false;
	}
	return true;
}

/* The key that `kid` names, whatever else the header says. */
static const struct jwk *
find_key(const struct jwt_judge *j, const json_t *header,
    struct auth_step *to)
{
	const json_t *v = json_object_get(header, "kid");
	struct slice kid = strict_json_text(header, "kid");
	const struct jwk *k;
	struct log_quoted q;

	if (v != NULL && (kid.len == 0 || kid.len > JWKS_KID_MAX)) {
		malformed(to, "has a kid that is no string of 1 to 1000 bytes");
		return NULL;
	}
	k = j->keys != NULL ? jwks_find(j->keys, kid) : NULL;
	if (k != NULL)
		return k;
	to->unknown_kid = true;
	if (j->keys == NULL)
		auth_fail(to, AUTH_FAILURE_KEY_ID, "the issuer's keys are not "
		    "here yet");
	else if (v == NULL)
		auth_fail(to, AUTH_FAILURE_KEY_ID, "the token has no kid, and "
		    "there are several keys");
	else
		auth_fail(to, AUTH_FAILURE_KEY_ID, "no key has the token's "
		    "kid %s", log_quote(kid, &q));
	return NULL;
}

/* The name of an algorithm is looked up among ours and must be one of those
 * that the key has: it chooses nothing but the length of the hash. */
static const struct jwk *
check_header(const struct jwt_judge *j, const json_t *header,
    enum jwt_algorithm *algorithm, struct auth_step *to)
{
	struct slice alg = strict_json_text(header, "alg");
	uint32_t allowed = allowed_algorithms(j->settings);
	int a = jwt_algorithm_find(alg);
	const struct jwk *k;
	struct log_quoted q;

	if (!check_members(header, to))
		return NULL;
	if (!check_type(header, j->settings->type)) {
		malformed(to, "is of another type (typ)");
		return NULL;
	}
	if (a < 0 || (allowed & 1u << a) == 0) {
		auth_fail(to, AUTH_FAILURE_ALGORITHM, "the algorithm %s is "
		    "not allowed", log_quote(alg, &q));
		return NULL;
	}
	k = find_key(j, header, to);
	if (k == NULL)
		return NULL;
	if ((jwk_algorithms(k, allowed) & 1u << a) == 0) {
		auth_fail(to, AUTH_FAILURE_ALGORITHM, "the key is not for %s",
		    jwt_algorithm_name((enum jwt_algorithm)a));
		return NULL;
	}
	*algorithm = (enum jwt_algorithm)a;
	return k;
}

/* ---- claims ---- */

static bool
claim_wrong(struct auth_step *to, const char *name, const char *what)
{
	struct log_quoted q;

	auth_fail(to, AUTH_FAILURE_CLAIM, "the token's claim %s %s",
	    log_quote(slice_of(name), &q), what);
	return false;
}

/* A member of that whole name (some issuers' names are URLs), or else the path
 * whose steps are parted by dots. */
static const json_t *
claim_at(const json_t *claims, const char *path)
{
	const json_t *v = json_object_get(claims, path);
	const char *at = path, *dot;

	if (v != NULL || strchr(path, '.') == NULL)
		return v;
	for (v = claims; v != NULL; at = dot + 1) {
		dot = strchr(at, '.');
		if (dot == NULL)
			return json_object_get(v, at);
		v = json_object_getn(v, at, (size_t)(dot - at));
	}
	return NULL;
}

/* Whole seconds since 1970 (2.0 and "2" are none). */
static bool
time_claim(const json_t *claims, const char *name, bool required,
    int64_t *to_s, struct auth_step *to)
{
	const json_t *v = json_object_get(claims, name);
	json_int_t n;

	*to_s = 0;
	if (v == NULL)
		return !required || claim_wrong(to, name, "is missing");
	if (!json_is_integer(v))
		return claim_wrong(to, name, "is no whole number");
	n = json_integer_value(v);
	if (n <= 0 || n > TIME_MAX)
		return claim_wrong(to, name, "is no time");
	*to_s = n;
	return true;
}

static bool
check_times(const struct jwt_judge *j, const json_t *claims,
    struct principal *p, struct auth_step *to)
{
	int64_t now = j->now_ms / 1000, skew = j->settings->skew_s;
	int64_t exp, iat, nbf;

	if (!time_claim(claims, "exp", true, &exp, to) ||
	    !time_claim(claims, "iat", true, &iat, to) ||
	    !time_claim(claims, "nbf", false, &nbf, to))
		return false;
	if (exp <= iat)
		return claim_wrong(to, "exp", "is not after iat");
	if (now >= exp + skew) {
		auth_fail(to, AUTH_FAILURE_EXPIRED, "the token has expired "
		    "%lld seconds ago", (long long)(now - exp));
		return false;
	}
	if (iat > now + skew || nbf > now + skew) {
		auth_fail(to, AUTH_FAILURE_NOT_YET, "the token is not valid "
		    "yet (%s): are the clocks right?",
		    iat > now + skew ? "iat" : "nbf");
		return false;
	}
	p->issued_ms = iat * 1000;
	/* What lets a token in keeps it in: else one that our clock calls
	 * expired would be let in for no time at all. */
	p->expires_ms = to->expires_ms = (exp + skew) * 1000;
	return true;
}

static bool
check_issuer(const struct jwt_judge *j, const json_t *claims,
    struct principal *p, struct auth_step *to)
{
	struct slice iss = strict_json_text(claims, "iss");
	struct log_quoted q;

	if (iss.data == NULL)
		return claim_wrong(to, "iss", "is missing or no string");
	if (slice_is(iss, j->settings->issuer)) {
		p->issuer = mem_strdup(j->settings->issuer);
		return true;
	}
	auth_fail(to, AUTH_FAILURE_ISSUER, "the token is of another issuer: "
	    "%s", log_quote(iss, &q));
	return false;
}

/* As the settings have it; NULL: it is none of theirs. */
static const char *
audience_of(const struct auth_jwt_settings *s, const json_t *v)
{
	struct slice one;

	if (!json_is_string(v))
		return NULL;
	one = (struct slice){ (const uint8_t *)json_string_value(v),
	    (uint32_t)json_string_length(v) };
	for (uint32_t i = 0; i < s->audiences.n; i++)
		if (slice_is(one, s->audiences.v[i]))
			return s->audiences.v[i];
	return NULL;
}

static bool
check_audience(const struct jwt_judge *j, const json_t *claims,
    struct principal *p, struct auth_step *to)
{
	const json_t *aud = json_object_get(claims, "aud");
	size_t n = json_is_array(aud) ? json_array_size(aud) : 0;
	const char *found = audience_of(j->settings, aud);

	if (n > JWT_AUDIENCES_MAX)
		return claim_wrong(to, "aud", "has more than 64 values");
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(aud, i);

		if (!json_is_string(v))
			return claim_wrong(to, "aud", "has what is no string");
		if (found == NULL)
			found = audience_of(j->settings, v);
	}
	if (!json_is_string(aud) && !json_is_array(aud))
		return claim_wrong(to, "aud", "is missing or no string or "
		    "list");
	if (found != NULL) {
		p->audience = mem_strdup(found);
		return true;
	}
	auth_fail(to, AUTH_FAILURE_AUDIENCE, "the token is for another "
	    "audience");
	return false;
}

/* ---- sender-constrained tokens (RFC 7800, RFC 8705) ---- */

/* A token that is bound to a key is none that anybody may bear: whoever shows
 * it must have that key. We know the certificate's; a token that is bound in
 * another way (jkt, jwk) is refused, since nobody checks that here. */
static bool
check_confirmation(const struct jwt_judge *j, const json_t *claims,
    struct auth_step *to)
{
	const json_t *cnf = json_object_get(claims, "cnf");
	struct slice text = strict_json_text(cnf, "x5t#S256");
	uint8_t digest[32];
	size_t n;

	if (cnf == NULL)
		return true;
	if (json_object_size(cnf) != 1 || text.data == NULL)
		return claim_wrong(to, "cnf", "binds the token in a way that "
		    "is not known here");
	if (!base64url_decode(text, digest, sizeof(digest), &n) ||
	    n != sizeof(digest))
		return claim_wrong(to, "cnf", "has no SHA-256 as x5t#S256");
	if (j->peer != NULL && j->peer->has_certificate &&
	    CRYPTO_memcmp(digest, j->peer->certificate_sha256, n) == 0)
		return true;
	auth_fail(to, AUTH_FAILURE_CERTIFICATE, "the token is bound to a "
	    "certificate that this connection has not shown");
	return false;
}

/* ---- who it is ---- */

static struct slice
text_of(const json_t *v)
{
	if (!json_is_string(v))
		return SLICE_NULL;
	return (struct slice){ (const uint8_t *)json_string_value(v),
	    (uint32_t)json_string_length(v) };
}

static struct principal *
subject_of(const struct jwt_judge *j, const json_t *claims,
    struct auth_step *to)
{
	const char *path = j->settings->principal_claim;
	const json_t *sub = json_object_get(claims, "sub");
	char name[PRINCIPAL_NAME_MAX + 1];
	struct slice text;

	if (path == NULL)
		path = "sub";
	text = text_of(claim_at(claims, path));
	if (sub != NULL && text_of(sub).len == 0) {
		claim_wrong(to, "sub", "is no string or empty");
		return NULL;
	}
	if (text.data == NULL) {
		claim_wrong(to, path, "is missing or no string");
		return NULL;
	}
	if (!principal_name_escape(text, name)) {
		claim_wrong(to, path, "is no name: it is empty, too long or "
		    "has control characters");
		return NULL;
	}
	snprintf(to->claimed, sizeof(to->claimed), "%.*s",
	    (int)sizeof(to->claimed) - 1, name);
	return principal_new(PRINCIPAL_TOKEN, j->partition, j->account,
	    slice_of(name), SLICE_NULL);
}

static bool
add_group(struct principal *p, struct slice text, const char *claim,
    struct auth_step *to)
{
	char name[PRINCIPAL_NAME_MAX + 1];

	if (!principal_name_escape(text, name))
		return claim_wrong(to, claim, "has what is no name of a group");
	/* Leaving groups out could leave out one that is denied something. */
	return principal_add_group(p, slice_of(name)) ||
	    claim_wrong(to, claim, "has more than 100 groups");
}

/* "a b,c": words parted by blanks and commas, as in `scope`. */
static bool
add_words(struct principal *p, struct slice text, const char *claim,
    struct auth_step *to)
{
	for (uint32_t i = 0, from = 0; i <= text.len; i++) {
		if (i < text.len && text.data[i] != ' ' && text.data[i] != ',')
			continue;
		if (i > from && !add_group(p, (struct slice){ text.data + from,
		    i - from }, claim, to))
			return false;
		from = i + 1;
	}
	return true;
}

static bool
add_groups(const struct jwt_judge *j, const json_t *claims,
    struct principal *p, struct auth_step *to)
{
	const char *path = j->settings->groups_claim;
	const json_t *v = path != NULL ? claim_at(claims, path) : NULL;

	if (v == NULL)
		return true;
	if (json_is_string(v))
		return add_words(p, text_of(v), path, to);
	if (!json_is_array(v))
		return claim_wrong(to, path, "is neither a list nor a string");
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!add_group(p, text_of(json_array_get(v, i)), path, to))
			return false;
	return true;
}

/* Where tenants are told by tokens, one without is nobody's. */
static bool
set_tenant(const struct jwt_judge *j, const json_t *claims,
    struct principal *p, struct auth_step *to)
{
	const char *path = j->settings->tenant_claim;
	struct slice text;

	if (path == NULL)
		return true;
	text = text_of(claim_at(claims, path));
	if (!principal_name_valid(text))
		return claim_wrong(to, path, "is missing or no tenant's name");
	p->tenant = mem_strndup(text.data, text.len);
	return true;
}

/* Which claims make a principal, and of which type of tokens, as one text. */
static char *
claim_names(const struct auth_jwt_settings *s)
{
	const char *const names[] = { s->principal_claim, s->groups_claim,
		s->tenant_claim, s->type };
	char *to = mem_strdup("");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = names[i] != NULL ? names[i] : "";
		size_t size = strlen(to) + strlen(name) + 2;
		char *longer = mem_alloc(size);

		snprintf(longer, size, "%s%s\n", to, name);
		free(to);
		to = longer;
	}
	return to;
}

static bool
is_one_of(const struct auth_names *names, const char *name)
{
	for (uint32_t i = 0; i < names->n; i++)
		if (text_eq(names->v[i], name))
			return true;
	return false;
}

bool
jwt_still_taken(const struct auth_jwt_settings *s, const struct principal *p)
{
	char *names = claim_names(s);
	bool same = text_eq(names, p->claims);

	free(names);
	return same && text_eq(s->issuer, p->issuer) &&
	    is_one_of(&s->audiences, p->audience) &&
	    is_one_of(&s->algorithms, p->algorithm);
}

static enum auth_result
check_claims(const struct jwt_judge *j, const json_t *claims,
    struct auth_step *to)
{
	struct principal *p = subject_of(j, claims, to);

	if (p != NULL && check_issuer(j, claims, p, to) &&
	    check_audience(j, claims, p, to) && check_times(j, claims, p, to) &&
	    check_confirmation(j, claims, to) &&
	    add_groups(j, claims, p, to) && set_tenant(j, claims, p, to)) {
		p->claims = claim_names(j->settings);
		to->principal = p;
		return AUTH_DONE;
	}
	principal_unref(p);
	to->expires_ms = 0;
	return AUTH_FAILED;
}

/* ---- the whole ---- */

static enum auth_result
judge_claims(const struct jwt_judge *j, const struct parts *p,
    struct auth_step *to)
{
	enum auth_result result;
	struct error err;
	json_t *claims = strict_json_object(p->claims, JWT_CLAIMS_DEPTH_MAX,
	    &err);

	if (claims == NULL)
		return auth_fail(to, AUTH_FAILURE_MALFORMED, "the token's "
		    "part with the claims %s", err.text);
	result = check_claims(j, claims, to);
	json_decref(claims);
	return result;
}

static enum auth_result
judge_parts(const struct jwt_judge *j, const struct parts *p,
    struct auth_step *to)
{
	enum jwt_algorithm a = JWT_RS256;
	const struct jwk *key;
	struct error err;
	json_t *header = strict_json_object(p->header, JWT_HEADER_DEPTH_MAX,
	    &err);

	if (header == NULL)
		return auth_fail(to, AUTH_FAILURE_MALFORMED, "the token's "
		    "header %s", err.text);
	key = check_header(j, header, &a, to);
	json_decref(header);
	if (key == NULL)
		return AUTH_FAILED;
	if (!jwk_verify(key, a, p->signed_text, p->signature))
		return auth_fail(to, AUTH_FAILURE_SIGNATURE, "the token's "
		    "signature is wrong");
	if (judge_claims(j, p, to) != AUTH_DONE)
		return AUTH_FAILED;
	to->principal->algorithm = jwt_algorithm_name(a);
	return AUTH_DONE;
}

enum auth_result
jwt_judge(const struct jwt_judge *j, struct slice token, struct auth_step *to)
{
	enum auth_result result;
	struct parts p;

	if (!jwt_is_on(j->settings))
		return auth_fail(to, AUTH_FAILURE_MECHANISM, "JWTs are not "
		    "accepted here: neither jwks_file nor jwks_url is set");
	if (token.len > JWT_SIZE_MAX)
		return malformed(to, "is longer than 16 KiB");
	if (split(token, &p))
		result = judge_parts(j, &p, to);
	else
		result = malformed(to, "is no JWT: it wants three parts in "
		    "canonical base64url");
	OPENSSL_cleanse(p.bytes, sizeof(p.bytes));
	return result;
}

/* ---- settings ---- */

bool
jwt_is_on(const struct auth_jwt_settings *s)
{
	return s->jwks_file != NULL || s->jwks_url != NULL;
}

static bool
is_blank(const char *s)
{
	return s == NULL || *s == '\0';
}

static void
check_names(const struct auth_names *names, const char *path,
    struct error_list *errs)
{
	for (uint32_t i = 0; i < names->n; i++)
		if (is_blank(names->v[i]))
			error_list_add(errs, path, "must not have an empty "
			    "value");
}

static void
check_algorithms(const struct auth_jwt_settings *s, struct error_list *errs)
{
	char path[64];

	if (s->algorithms.n == 0)
		error_list_add(errs, "auth.jwt.algorithms", "must name one: "
		    "RS256, PS256 or ES256, for example");
	for (uint32_t i = 0; i < s->algorithms.n; i++) {
		const char *name = s->algorithms.v[i];

		if (jwt_algorithm_find(slice_of(name)) >= 0)
			continue;
		snprintf(path, sizeof(path), "auth.jwt.algorithms[%u]", i);
		error_list_add(errs, path, "must be one of RS256, RS384, "
		    "RS512, PS256, PS384, PS512, ES256, ES384 and ES512; "
		    "\"none\" and HS are never accepted");
	}
}

static bool
path_ok(const char *path)
{
	size_t dots = 0, n = strlen(path);

	for (size_t i = 0; i < n; i++)
		dots += path[i] == '.';
	return n > 0 && n <= PRINCIPAL_NAME_MAX && dots < JWT_PATH_DEPTH_MAX;
}

static void
check_path(const char *claim, const char *name, struct error_list *errs)
{
	if (claim != NULL && !path_ok(claim))
		error_list_add(errs, name, "must be a claim's name or a path "
		    "to it, with at most %d steps", JWT_PATH_DEPTH_MAX);
}

bool
jwt_settings_check(const struct auth_jwt_settings *s, struct error_list *errs)
{
	uint32_t before = errs->n;

	if (s->jwks_file != NULL && s->jwks_url != NULL)
		error_list_add(errs, "auth.jwt.jwks_url", "and jwks_file are "
		    "both set: keys come from one place");
	if (!jwt_is_on(s)) {
		/* What is there means that tokens are to be accepted. */
		if (s->issuer != NULL || s->audiences.n > 0)
			error_list_add(errs, "auth.jwt.jwks_file", "or "
			    "jwks_url is required: without keys no token can "
			    "be verified");
		return errs->n == before;
	}
	if (is_blank(s->issuer))
		error_list_add(errs, "auth.jwt.issuer", "is required: it is "
		    "what iss of a token must be");
	if (s->audiences.n == 0)
		error_list_add(errs, "auth.jwt.audiences", "must name one: "
		    "else tokens for any other service are accepted");
	check_names(&s->audiences, "auth.jwt.audiences", errs);
	check_algorithms(s, errs);
	check_path(s->principal_claim, "auth.jwt.principal_claim", errs);
	check_path(s->groups_claim, "auth.jwt.groups_claim", errs);
	check_path(s->tenant_claim, "auth.jwt.tenant_claim", errs);
	return errs->n == before;
}
