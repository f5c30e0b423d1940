/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision in words, for explain-access and whoever was refused something:
 * which statement it was, or which ones came close.
 */
#include <stdarg.h>
#include <stdio.h>

#include "auth/policy_private.h"
#include "gateway/base/log.h"

enum { CLOSE_MAX = 5 };		/* statements that are told about */

struct words {
	char	*at;
	size_t	 left;
};

/* Statements that would have allowed it but for something. */
struct near {
	struct words		*w;
	struct policy_request	*r;
	uint32_t		 close;		/* but for a condition */
	uint32_t		 elsewhere;	/* but for the resource */
};

static void say(struct words *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void
say(struct words *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->at, w->left, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= w->left)
		n = (int)(w->left - 1);
	w->at += n;
	w->left -= (size_t)n;
}

static void
say_statement(struct words *w, const struct policy *p, uint32_t index,
    const char *sid)
{
	say(w, "Statement[%u]%s%s%s of policy %s", index, sid ? " (" : "",
	    sid ? sid : "", sid ? ")" : "", p->name);
}

static void
say_values(struct words *w, struct policy_request *r,
    const struct policy_condition *c)
{
	struct policy_values values;
	struct log_quoted q;

	policy_key_values(r, &c->key, &values);
	if (values.n == 0) {
		say(w, "the request has no value of it");
		return;
	}
	say(w, "here it is %s", log_quote(values.v[0], &q));
	for (uint32_t i = 1; i < values.n && i < CLOSE_MAX; i++)
		say(w, ", %s", log_quote(values.v[i], &q));
	if (values.n > CLOSE_MAX)
		say(w, " and %u more", values.n - CLOSE_MAX);
}

static void
look_at(struct near *n, const struct policy *p,
    const struct policy_statement *st)
{
	const struct policy_condition *failing;

	if (!policy_resource_matches(n->r, st)) {
		n->elsewhere++;
		return;
	}
	failing = policy_first_failing(n->r, st);
	if (failing == NULL || n->close++ >= CLOSE_MAX)
		return;
	say(n->w, " ");
	say_statement(n->w, p, st->index, st->sid);
	say(n->w, " allows this action on this resource, but its condition "
	    "%s on %s does not hold: ", failing->op_name, failing->key.name);
	say_values(n->w, n->r, failing);
	say(n->w, ".");
}

static void
look_in(struct near *n, const struct policy *p)
{
	uint32_t a = n->r->action;

	for (uint32_t i = p->first[EFFECT_ALLOW][a];
	    i < p->first[EFFECT_ALLOW][a + 1]; i++)
		look_at(n, p, &p->statements[p->index[i]]);
}

/* Nothing allows it: what came close. */
static void
say_near(struct words *w, struct policy_request *r, bool in_session)
{
	struct near n = { w, r, 0, 0 };

	if (in_session)
		look_in(&n, r->set->session);
	for (uint32_t i = 0; i < r->set->count && !in_session; i++)
		look_in(&n, r->set->policies[i]);
	if (n.close > CLOSE_MAX)
		say(w, " %u more statements fail by a condition.",
		    n.close - CLOSE_MAX);
	if (n.elsewhere > 0)
		say(w, " %u %s the action on other resources only.",
		    n.elsewhere, n.elsewhere == 1 ? "statement allows" :
		    "statements allow");
	if (n.close + n.elsewhere == 0)
		say(w, " No statement allows this action on any resource.");
}

void
policy_verdict_text(struct policy_set *s, enum policy_action action,
    enum policy_resource type, struct slice name,
    const struct policy_verdict *v, char *to, size_t size)
{
	struct words w = { to, size };
	struct policy_request r;
	struct log_quoted q;

	if (name.len > POLICY_NAME_MAX)
		name.len = POLICY_NAME_MAX;
	policy_request_init(&r, s, action, type, name);
	say(&w, "kafka-cluster:%s on %s is ", policy_action_name(action),
	    log_quote(r.arn, &q));
	if (v->allowed) {
		say(&w, "allowed by ");
		say_statement(&w, v->policy, v->statement, v->sid);
		say(&w, "%s.", s->session ?
		    ", and by the credentials' session policy" : "");
	} else if (v->denied) {
		say(&w, "denied by ");
		say_statement(&w, v->policy, v->statement, v->sid);
		say(&w, ": an explicit Deny wins over every Allow.");
	} else if (v->by_session) {
		say(&w, "denied: the policies allow it, but the session policy "
		    "of the credentials (%s) does not.", s->session->name);
		say_near(&w, &r, true);
	} else {
		say(&w, "denied: nothing in the %u %s of this principal allows "
		    "it.", s->count, s->count == 1 ? "policy" : "policies");
		say_near(&w, &r, false);
	}
}
