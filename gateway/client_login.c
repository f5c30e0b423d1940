/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/client_login.h"

#include <stdlib.h>

#include <openssl/rand.h>

#include "gateway/api.h"
#include "gateway/audit.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/guesses.h"
#include "gateway/net/certificate.h"
#include "gateway/net/source.h"
#include "gateway/session.h"
#include "gateway/session_tenant.h"
#include "gateway/tenants.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "wire/messages.h"

static const struct config_listener *
listener_of(const struct session *s)
{
	return &s->worker->config->listeners.v[s->listener];
}

static int64_t
now_us(const struct session *s)
{
	return loop_now_us(s->worker->loop);
}

/* ---- the beginning and the end ---- */

static void
too_late(struct timer *t)
{
	struct client_login *l = LIST_ENTRY(t, struct client_login, timer);

	session_close(l->session, CONN_LOGIN_TIME, "limits.login_ms");
}

static void
set_deadline(struct client_login *l)
{
	struct session *s = l->session;

	timer_set(&l->timer, s->worker->loop, s->opened_us +
	    (int64_t)s->worker->config->limits.login_ms * 1000, too_late);
}

void
client_login_begin(struct session *s)
{
	struct client_login *l = mem_zalloc(sizeof(*l));

	l->session = s;
	l->auth = auth_ref(s->worker->auth);
	s->login = l;
	s->state = SESSION_LOGIN;
	set_deadline(l);
}

static void
last_too_late(struct timer *t)
{
	struct client_login *l = LIST_ENTRY(t, struct client_login, timer);

	session_close(l->session, CONN_LOGIN, "what it had asked before was "
	    "not answered in time");
}

/* Replies leave in order: that of a login which failed stands behind those of
 * what was asked before it. Call it before the answer, which may end the
 * session. */
static void
close_when_answered(struct client_login *l)
{
	struct session *s = l->session;

	s->state = SESSION_CLOSING;
	conn_pause(s->conn);
	l->ending = true;
	timer_set(&l->timer, s->worker->loop, now_us(s) +
	    LOGIN_LAST_MS * 1000, last_too_late);
}

void
client_login_answered(struct session *s)
{
	if (s->login == NULL || !s->login->ending)
		return;
	timer_cancel(&s->login->timer);
	conn_close_after_flush(s->conn, CONN_LOGIN);
}

static void held_free(struct client_login_held *h);

static void
drop_principal(struct client_login *l)
{
	if (l->policies != NULL)
		policy_set_free(l->policies);
	l->policies = l->session->policies = NULL;
	principal_unref(l->principal);
	l->principal = NULL;
}

void
client_login_free(struct client_login *l)
{
	if (l == NULL)
		return;
	timer_cancel(&l->timer);
	held_free(l->held);
	if (l->exchange != NULL)
		auth_login_free(l->exchange);
	drop_principal(l);
	auth_unref(l->auth);
	free(l->suspended);
	free(l);
}

/* ---- who it is ---- */

/* What p may do, as that tenant's member (NULL: of the cluster's own). */
static struct policy_set *
policies_of(struct client_login *l, struct auth *a, struct principal *p,
    const struct tenant *t)
{
	struct session *s = l->session;
	const struct conn_peer *peer = conn_peer(s->conn);
	struct policy *v[POLICY_SET_MAX];
	uint32_t n = auth_policies(a, p, t != NULL ? t->policies : NULL,
	    t != NULL ? t->policy_count : 0, v);

	l->context = (struct policy_context){
		.principal = p,
		.source_ip = peer->host,
		.source_vpce = peer->vpce[0] != '\0' ? peer->vpce : NULL,
		.client_id = s->client_id,
		.user_agent = l->user_agent[0] != '\0' ? l->user_agent : NULL,
		.secure = conn_is_tls(s->conn),
	};
	return policy_set_new(t != NULL ? &t->cluster :
	    &auth_settings(a)->cluster, &l->context, v, n, p->session_policy);
}

static bool
may_connect(struct policy_set *set)
{
	return policy_allows(set, POLICY_CONNECT, POLICY_CLUSTER, SLICE_NULL);
}

/* Takes the reference of p. The set borrows of the tenant. */
static void
take_principal(struct client_login *l, struct principal *p,
    struct policy_set *set, struct tenant *t)
{
	drop_principal(l);
	session_tenant_take(l->session, t);
	l->principal = p;
	l->policies = l->session->policies = set;
}

/* Milliseconds until it must log in again; 0: never. */
static int64_t
lifetime_ms(const struct client_login *l, int64_t expires_ms)
{
	int64_t most = auth_settings(l->auth)->session_max_ms;
	int64_t left = expires_ms - clock_wall_ms();

	if (expires_ms == 0)
		return most;
	if (left < 1)
		left = 1;	/* 0 would say: never */
	return most > 0 && most < left ? most : left;
}

/* From now on the newest snapshot judges; false when there was another before.
 */
static bool
is_newest(struct client_login *l)
{
	struct auth *newest = l->session->worker->auth;

	if (l->auth == newest)
		return true;
	auth_unref(l->auth);
	l->auth = auth_ref(newest);
	return false;
}

/* The tenant that it is a member of, the same one as before. *to is NULL where
 * there are no tenants. */
static enum auth_result
find_tenant(struct client_login *l, struct auth_step *step,
    struct tenant **to)
{
	const struct session *s = l->session;
	enum auth_failure why;
	struct error err;

	if (!session_tenant_find(s, step->principal, to, &why, &err)) {
		/* Who has proven to be a member may know that. */
		l->suspended = why == AUTH_FAILURE_SUSPENDED ?
		    mem_strdup(err.text) : NULL;
		return auth_fail(step, why, "%s: %s", step->principal->arn,
		    err.text);
	}
	if (l->principal != NULL && s->tenant != NULL && *to != NULL &&
	    strcmp(s->tenant->id, (*to)->id) != 0)
		return auth_fail(step, AUTH_FAILURE_TENANT, "a member of "
		    "tenant %s may not become one of %s", s->tenant->id,
		    (*to)->id);
	return AUTH_DONE;
}

/* Checks what auth/ does not know: that nothing was revoked while the exchange
 * was under way, that it is the same principal as before, whose member it is,
 * and that it may connect. */
static enum auth_result
admit(struct client_login *l, struct auth_step *step)
{
	struct policy_set *set;
	struct tenant *t;

	if (!is_newest(l) && !auth_still_valid(l->auth, step->principal,
	    clock_wall_ms()))
		return auth_fail(step, AUTH_FAILURE_DISABLED, "its key or role "
		    "was taken away while it logged in");
	if (l->principal != NULL &&
	    !principal_same(l->principal, step->principal))
		return auth_fail(step, AUTH_FAILURE_PRINCIPAL, "%s may not "
		    "become %s", l->principal->arn, step->principal->arn);
	snprintf(l->user_agent, sizeof(l->user_agent), "%s", step->user_agent);
	if (find_tenant(l, step, &t) != AUTH_DONE)
		return AUTH_FAILED;
	set = policies_of(l, l->auth, step->principal, t);
	if (!may_connect(set)) {
		policy_set_free(set);
		return auth_fail(step, AUTH_FAILURE_CONNECT, "no policy allows "
		    "%s kafka-cluster:Connect", step->principal->arn);
	}
	take_principal(l, principal_ref(step->principal), set, t);
	return AUTH_DONE;
}

/* It is in: from now on everything is served. Returns the lifetime in ms. */
static int64_t
let_in(struct client_login *l, const struct auth_step *step)
{
	struct session *s = l->session;
	const struct config_limits *limits = &s->worker->config->limits;
	int64_t lifetime = lifetime_ms(l, step->expires_ms);

	timer_cancel(&l->timer);
	l->requests = 0;
	l->asked = false;
	l->in_us = now_us(s);
	l->ends_us = lifetime > 0 ? l->in_us + lifetime * 1000 : 0;
	s->state = SESSION_OPEN;
	conn_set_frame_max(s->conn, limits->frame_max);
	conn_set_frame_ms(s->conn, limits->frame_ms);
	throttle_enter(s);
	return lifetime;
}

static void
note(struct client_login *l, const char *mechanism,
    const struct auth_step *step, bool ok)
{
	struct session *s = l->session;
	struct log_quoted who, why;
	char tenant[SESSION_TENANT_LOG];

	metric_add(s->worker->metrics, ok ? (unsigned)METRIC_LOGINS :
	    metric_failure(METRIC_LOGIN_FAILURES, (int)step->failure), 1);
	audit_login(s, mechanism, step, ok);
	if (!ok) {
		source_login_failed(&conn_peer(s->conn)->remote.sa);
		guesses_failed(slice_of(step->claimed));
	}
	if (!ok)
		log_warn("login failed",
		    "session=%llu peer=%s%s mechanism=%s claimed=%s reason=%s "
		    "detail=%s", (unsigned long long)s->id,
		    conn_peer(s->conn)->text,
		    session_tenant_log(s, tenant, sizeof(tenant)), mechanism,
		    log_quote(slice_of(step->claimed), &who),
		    auth_failure_label(step->failure),
		    log_quote(slice_of(step->error.text), &why));
}

/* ---- SaslHandshake ---- */

static bool
is_offered(const struct config_listener *c, const char *name)
{
	for (uint32_t i = 0; i < c->mechanisms.n; i++)
		if (strcmp(c->mechanisms.v[i], name) == 0)
			return true;
	return false;
}

static void
answer_handshake(struct request *r, int16_t error)
{
	const struct config_listener *c = listener_of(r->session);
	struct sasl_handshake_response *to = codec_new(
	    &sasl_handshake_response_message, &r->arena);

	to->error_code = error;
	to->mechanisms.v = ARENA_ARRAY(&r->arena, struct slice,
	    c->mechanisms.n + 1);
	for (uint32_t i = 0; i < c->mechanisms.n; i++)
		to->mechanisms.v[to->mechanisms.n++] =
		    slice_of(c->mechanisms.v[i]);
	request_answer(r, to);
}

/* A mechanism that is not here: told which are, then closed as brokers do. */
static void
refuse_mechanism(struct request *r)
{
	struct session *s = r->session;
	const struct sasl_handshake_request *q = r->body;
	struct auth_step step = { .failure = AUTH_FAILURE_MECHANISM };
	struct log_quoted text;

	error_set(&step.error, "the client asked for %s",
	    log_quote(q->mechanism, &text));
	note(s->login, "none", &step, false);
	close_when_answered(s->login);
	answer_handshake(r, KAFKA_UNSUPPORTED_SASL_MECHANISM);
}

/* Its address has had too many failures: nothing is even tried. */
static void
refuse_source(struct request *r)
{
	struct session *s = r->session;
	struct auth_step step = { .failure = AUTH_FAILURE_LIMIT };

	error_set(&step.error, "limits.login_failures_max");
	metric_add(s->worker->metrics, metric_failure(METRIC_LOGIN_FAILURES,
	    AUTH_FAILURE_LIMIT), 1);
	audit_login(s, "none", &step, false);
	session_close(s, CONN_LOGIN, "too many failed logins from there");
}

/* Whether it may begin a login now; a live session that never ends, or has just
 * logged in, may not. */
static bool
may_begin(const struct session *s)
{
	const struct client_login *l = s->login;

	if (l->held != NULL)
		return false;
	if (l->principal == NULL)
		return l->exchange == NULL;
	return l->ends_us != 0 && now_us(s) >= l->in_us +
	    LOGIN_AGAIN_MS * 1000;
}

/* Tokens may be bound to it (RFC 8705). */
static void
note_certificate(struct client_login *l)
{
	struct certificate c;
	struct error err;

	l->peer.has_certificate = conn_certificate(l->session->conn, &c, &err);
	if (l->peer.has_certificate)
		memcpy(l->peer.certificate_sha256, c.sha256,
		    sizeof(c.sha256));
}

void
api_sasl_handshake(struct request *r)
{
	const struct sasl_handshake_request *q = r->body;
	struct session *s = r->session;
	struct client_login *l = s->login;
	int m = auth_mechanism_find(q->mechanism);

	if (l == NULL || listener_of(s)->auth != CONFIG_AUTH_SASL ||
	    !may_begin(s)) {
		answer_handshake(r, KAFKA_ILLEGAL_SASL_STATE);
		return;
	}
	if (m < 0 || !is_offered(listener_of(s),
	    auth_mechanism_name((enum auth_mechanism)m)) ||
	    (l->chosen && l->mechanism != (enum auth_mechanism)m)) {
		refuse_mechanism(r);
		return;
	}
	if (!source_login_allowed(&conn_peer(s->conn)->remote.sa)) {
		refuse_source(r);
		return;
	}
	if (l->exchange != NULL)
		auth_login_free(l->exchange);
	/* What was issued or revoked since the connection began counts. */
	auth_unref(l->auth);
	l->auth = auth_ref(s->worker->auth);
	l->chosen = true;
	l->mechanism = (enum auth_mechanism)m;
	l->peer.source_ip = conn_peer(s->conn)->host;
	l->peer.tls = conn_is_tls(s->conn);
	note_certificate(l);
	l->exchange = auth_login_new(l->auth, l->mechanism, &l->peer,
	    s->worker->auth_cache);
	l->noted = false;
	l->raw = r->version == 0 && l->principal == NULL;
	answer_handshake(r, 0);
}

/* ---- SaslAuthenticate ---- */

/* One message of the client's. */
static enum auth_result
step_exchange(struct client_login *l, struct slice in, struct arena *a,
    struct auth_step *step)
{
	enum auth_result result;

	memset(step, 0, sizeof(*step));
	result = auth_login_step(l->exchange, in, a, step);
	if (step->unknown_kid)
		worker_wish_jwks(l->session->worker);
	return result;
}

/* OAUTHBEARER says why it refuses, and fails when the client has heard it (RFC
 * 7628, 3.2.3); many never come back. */
static bool
is_verdict(const struct client_login *l, enum auth_result result,
    const struct auth_step *step)
{
	return !l->noted &&
	    (result != AUTH_MORE || step->failure != AUTH_FAILURE_NONE);
}

/* What comes of it for the session. */
static enum auth_result
settle(struct client_login *l, enum auth_result result, struct auth_step *step)
{
	if (result == AUTH_DONE)
		result = admit(l, step);
	if (is_verdict(l, result, step)) {
		note(l, auth_mechanism_name(l->mechanism), step,
		    result == AUTH_DONE);
		l->noted = result == AUTH_MORE;
	}
	if (result == AUTH_MORE)
		return result;
	auth_login_free(l->exchange);
	l->exchange = NULL;
	principal_unref(step->principal);
	step->principal = NULL;
	return result;
}

static void
answer_authenticate(struct request *r, struct slice out, int64_t lifetime)
{
	struct sasl_authenticate_response *to = codec_new(
	    &sasl_authenticate_response_message, &r->arena);

	to->auth_bytes = out.data != NULL ? out : SLICE_LIT("");
	to->session_lifetime_ms = lifetime;
	request_answer(r, to);
}

/* The same words for all but a suspended tenant's members; the number finds the
 * line in weir's log. */
static void
answer_refused(struct request *r)
{
	const char *suspended = r->session->login->suspended;
	struct sasl_authenticate_response *to = codec_new(
	    &sasl_authenticate_response_message, &r->arena);

	to->error_code = KAFKA_SASL_AUTHENTICATION_FAILED;
	to->error_message = arena_printf(&r->arena,
	    "[session %llu]: %s", (unsigned long long)r->session->id,
	    suspended != NULL ? suspended : "Access denied");
	to->auth_bytes = SLICE_LIT("");
	request_answer(r, to);
}

static void
refuse_now(struct timer *t)
{
	struct client_login *l = LIST_ENTRY(t, struct client_login, timer);
	struct session *s = l->session;
	struct request *r = l->refused;

	l->refused = NULL;
	if (r == NULL) {
		session_close(s, CONN_LOGIN, NULL);
		return;
	}
	close_when_answered(l);
	answer_refused(r);
}

static int64_t
jitter_ms(void)
{
	uint8_t random = 0;

	if (RAND_bytes(&random, 1) != 1)
		random = 0;
	return random * LOGIN_JITTER_MS / 256;
}

/* Not at once: who guesses is to be slowed. r: NULL without a reply. */
static void
refuse_later(struct client_login *l, struct request *r)
{
	struct session *s = l->session;

	s->state = SESSION_CLOSING;
	conn_pause(s->conn);
	l->refused = r;
	timer_set(&l->timer, s->worker->loop, now_us(s) +
	    (LOGIN_DELAY_MS + jitter_ms()) * 1000, refuse_now);
}

/* ---- tokens without a header (SaslHandshake v0) ---- */

bool
client_login_expects_raw(const struct session *s)
{
	return s->login != NULL && s->login->raw && s->login->exchange != NULL;
}

static void
send_raw(struct session *s, struct slice out)
{
	struct chain c;
	uint8_t head[4] = { (uint8_t)(out.len >> 24), (uint8_t)(out.len >> 16),
	    (uint8_t)(out.len >> 8), (uint8_t)out.len };

	chain_init(&c);
	chain_add_copy(&c, head, sizeof(head));
	chain_add_copy(&c, out.data, out.len);
	conn_send(s->conn, &c);
	chain_fini(&c);
}

/* r: NULL for a token without a header. */
static void
respond(struct client_login *l, struct request *r, enum auth_result result,
    struct auth_step *step)
{
	int64_t lifetime = 0;

	if (result == AUTH_FAILED) {
		/* Without a header there is no way to say why. */
		refuse_later(l, r);
		return;
	}
	if (result == AUTH_DONE) {
		l->raw = false;
		lifetime = let_in(l, step);
	}
	if (r != NULL)
		answer_authenticate(r, step->out, lifetime);
	else
		send_raw(l->session, step->out);
}

/* ---- names that are guessed at ---- */

/* A verdict that is told later. */
struct client_login_held {
	struct request		*request;	/* NULL: without a header */
	enum auth_result	 result;
	struct auth_step	 step;		/* out is this one's own */
};

static void
held_free(struct client_login_held *h)
{
	if (h == NULL)
		return;
	principal_unref(h->step.principal);
	free((uint8_t *)(uintptr_t)h->step.out.data);
	free(h);
}

static void
tell_held(struct timer *t)
{
	struct client_login *l = LIST_ENTRY(t, struct client_login, timer);
	struct client_login_held *h = l->held;
	enum auth_result result;

	l->held = NULL;
	result = settle(l, h->result, &h->step);
	if (result == AUTH_MORE && l->principal == NULL)
		set_deadline(l);
	respond(l, h->request, result, &h->step);
	held_free(h);
}

/* Too many logins in this name have failed: this one's verdict, whatever it is,
 * comes later. */
static void
hold(struct client_login *l, struct request *r, enum auth_result result,
    const struct auth_step *step)
{
	struct worker *w = l->session->worker;
	struct client_login_held *h = mem_zalloc(sizeof(*h));

	*h = (struct client_login_held){ r, result, *step };
	if (step->out.data != NULL)
		h->step.out.data = (uint8_t *)mem_strndup(step->out.data,
		    step->out.len);
	l->held = h;
	metric_add(w->metrics, METRIC_LOGINS_DELAYED, 1);
	timer_set(&l->timer, w->loop, now_us(l->session) +
	    (w->config->limits.principal_delay_ms + jitter_ms()) * 1000,
	    tell_held);
}

static void
hear(struct client_login *l, struct request *r, struct slice in,
    struct arena *a)
{
	struct auth_step step;
	enum auth_result result = step_exchange(l, in, a, &step);

	if (is_verdict(l, result, &step) &&
	    guesses_over(slice_of(step.claimed)))
		hold(l, r, result, &step);
	else
		respond(l, r, settle(l, result, &step), &step);
}

void
api_sasl_authenticate(struct request *r)
{
	const struct sasl_authenticate_request *q = r->body;
	struct client_login *l = r->session->login;

	if (l == NULL || l->exchange == NULL || l->held != NULL) {
		request_answer_error(r, KAFKA_ILLEGAL_SASL_STATE);
		return;
	}
	hear(l, r, q->auth_bytes, &r->arena);
}

void
client_login_raw(struct session *s, const uint8_t *data, size_t len)
{
	struct arena a;

	if (s->login->held != NULL) {
		session_close(s, CONN_LOGIN, "it sent more before it was "
		    "answered");
		return;
	}
	arena_init(&a, 0);
	hear(s->login, NULL, (struct slice){ data, (uint32_t)len }, &a);
	arena_fini(&a);
}

/* ---- certificates ---- */

/* By the rules, of the certificate that the client has shown. */
static struct principal *
certificate_principal(const struct client_login *l, const struct auth *a,
    struct error *err)
{
	struct slice names[3][CERTIFICATE_NAMES_MAX];
	uint32_t counts[3] = { 0, 0, 0 };
	struct auth_certificate to;
	struct certificate c;

	if (!conn_certificate(l->session->conn, &c, err))
		return NULL;
	for (uint32_t i = 0; i < c.name_count; i++) {
		enum certificate_kind kind = c.names[i].kind;

		names[kind][counts[kind]++] = slice_of(c.names[i].text);
	}
	to = (struct auth_certificate){
		.subject = slice_of(c.subject),
		.cn = slice_of(c.common_name),
		.dns = names[CERTIFICATE_DNS],
		.uri = names[CERTIFICATE_URI],
		.email = names[CERTIFICATE_EMAIL],
		.dns_count = counts[CERTIFICATE_DNS],
		.uri_count = counts[CERTIFICATE_URI],
		.email_count = counts[CERTIFICATE_EMAIL],
		.not_after_ms = c.not_after * 1000,
	};
	memcpy(to.sha256, c.sha256, sizeof(to.sha256));
	return auth_certificate_principal(a, &to, err);
}

/* Who it says it is, for log and audit, should no rule fit: its subject. */
static void
claim_subject(const struct client_login *l, struct auth_step *step)
{
	struct certificate c;
	struct error err;

	if (conn_certificate(l->session->conn, &c, &err))
		snprintf(step->claimed, sizeof(step->claimed), "%s", c.subject);
}

static void
revoke(struct session *s, const char *why)
{
	audit_ended(s, why);
	session_close(s, CONN_REVOKED, why);
}

/* By what the listener trusts now. True: it was not, and the session ended. */
static bool
end_untrusted(struct session *s)
{
	const struct tls_context *tls = s->worker->tls[s->listener];
	struct certificate shown;
	struct error err;

	if (tls == NULL || !conn_certificate(s->conn, &shown, &err) ||
	    conn_certificate_trusted(s->conn, tls, &err))
		return false;
	revoke(s, err.text);
	return true;
}

void
client_login_ready(struct session *s)
{
	struct client_login *l = s->login;
	struct auth_step step = { .failure = AUTH_FAILURE_CERTIFICATE };

	s->ready = true;
	/* The handshake began by an older configuration. */
	if (s->opened_us <= s->worker->config_us && end_untrusted(s))
		return;
	if (l == NULL) {
		session_tenant_begin(s);
		return;
	}
	if (l->principal != NULL ||
	    listener_of(s)->auth != CONFIG_AUTH_CERTIFICATE)
		return;
	(void)is_newest(l);
	claim_subject(l, &step);
	step.principal = certificate_principal(l, l->auth, &step.error);
	if (step.principal != NULL && admit(l, &step) == AUTH_DONE) {
		step.expires_ms = step.principal->expires_ms;
		let_in(l, &step);
		step.failure = AUTH_FAILURE_NONE;
	}
	note(l, "certificate", &step, l->principal != NULL);
	principal_unref(step.principal);
	if (l->principal == NULL)
		refuse_later(l, NULL);
}

/* ---- afterwards ---- */

bool
client_login_count(struct session *s)
{
	bool over = client_login_over(s);

	if (s->login == NULL || (s->login->principal != NULL && !over) ||
	    ++s->login->requests <=
	    s->worker->config->limits.login_requests_max)
		return true;
	session_close(s, over ? CONN_EXPIRED : CONN_LOGIN_TIME,
	    "limits.login_requests_max");
	return false;
}

bool
client_login_first_question(struct session *s)
{
	bool first = !s->login->asked;

	s->login->asked = true;
	return first;
}

bool
client_login_over(const struct session *s)
{
	return s->login != NULL && s->login->ends_us != 0 &&
	    now_us(s) > s->login->ends_us;
}

void
client_login_client_id(struct session *s)
{
	if (s->login == NULL || s->login->policies == NULL)
		return;
	s->login->context.client_id = s->client_id;
	policy_set_changed(s->login->policies);
}

/* What it is to that snapshot: tags and groups may be others, and the rules
 * another principal's. NULL: it is no more. */
static struct principal *
principal_now(const struct client_login *l, const struct auth *a)
{
	struct principal *p;
	struct error err;

	if (!auth_still_valid(a, l->principal, clock_wall_ms()))
		return NULL;
	if (l->principal->kind != PRINCIPAL_CERTIFICATE)
		return auth_principal_again(a, l->principal);
	p = certificate_principal(l, a, &err);
	if (p == NULL || principal_same(p, l->principal))
		return p;
	principal_unref(p);
	return NULL;
}

/* Whether it may go on, as what it is now; else why not. */
static bool
judge(struct client_login *l, struct auth *a, struct error *why)
{
	struct principal *p = principal_now(l, a);
	struct policy_set *set;
	struct tenant *t;

	if (p == NULL)
		return error_set(why, "its key, role or certificate is no "
		    "longer valid");
	if (!session_tenant_again(l->session, p, &t, why)) {
		principal_unref(p);
		return false;
	}
	set = policies_of(l, a, p, t);
	if (may_connect(set)) {
		take_principal(l, p, set, t);
		return true;
	}
	policy_set_free(set);
	l->context.principal = l->principal;
	principal_unref(p);
	return error_set(why, "no policy allows it to connect any more");
}

/* Of a listener without a login: all that there is to judge is its tenant. */
static void
recheck_tenant(struct session *s)
{
	struct tenant *t;
	struct error why;

	/* One whose TLS is not up yet is judged when it is. */
	if (!s->ready)
		return;
	if (session_tenant_again(s, NULL, &t, &why))
		session_tenant_take(s, t);
	else
		revoke(s, why.text);
}

void
client_login_recheck(struct session *s, struct auth *a, bool reloaded)
{
	struct client_login *l = s->login;
	struct error why;

	if (s->state == SESSION_CLOSING || (reloaded && end_untrusted(s)))
		return;
	if (l == NULL) {
		recheck_tenant(s);
		return;
	}
	/* One that is under way is judged when it is done. */
	if (l->principal == NULL)
		return;
	if (!judge(l, a, &why)) {
		revoke(s, why.text);
		return;
	}
	auth_unref(l->auth);
	l->auth = auth_ref(a);
}
