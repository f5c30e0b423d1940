/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeClientQuotas: a client's own limits in Kafka's words, and filters as
 * a broker reads them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/principal.h"
#include "gateway/base/mem.h"
#include "gateway/client_login.h"
#include "gateway/config.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/worker.h"
#include "quota/limits.h"
#include "wire/messages.h"

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

typedef struct describe_client_quotas_request_components component;

static struct {
	struct config		 config;
	struct worker		 worker;
	struct tenant		 tenant;
	struct client_login	 login;
	struct session		 session;
	struct request		 request;
	const struct describe_client_quotas_response *answer;
} world;

/* The answer stays in the request's arena. */
void
request_answer(struct request *r, const void *response)
{
	assert_ptr_equal(r, &world.request);
	assert_null(world.answer);
	world.answer = response;
}

static int
set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.worker.config = &world.config;
	world.login.principal = principal_new(PRINCIPAL_ROLE, "aws", "1",
	    SLICE_LIT("app"), SLICE_LIT("run-1"));
	world.session.login = &world.login;
	world.session.tenant = &world.tenant;
	world.session.worker = &world.worker;
	world.tenant.limits = limits_builtin("msk-serverless");
	world.config.quota.made = limits_builtin("unlimited");
	world.request.worker = &world.worker;
	world.request.session = &world.session;
	world.request.client_id = SLICE_LIT("job-1");
	arena_init(&world.request.arena, 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_fini(&world.request.arena);
	principal_unref(world.login.principal);
	limits_unref(world.tenant.limits);
	limits_unref(world.config.quota.made);
	return 0;
}

static void
add_limit(enum quota_scope s, enum quota_dimension d, int64_t value,
    enum quota_mode mode)
{
	struct limits *own = limits_new("own", 1), *both;

	own->v[0].scope = (uint8_t)s;
	own->v[0].dimension = (uint8_t)d;
	own->v[0].mode = (uint8_t)mode;
	own->v[0].value = value;
	if (s == QUOTA_PRINCIPAL || s == QUOTA_CLIENT)
		own->v[0].principal = mem_strdup("arn:aws:iam::1:role/a*");
	both = limits_join(own, world.tenant.limits);
	limits_unref(own);
	limits_unref(world.tenant.limits);
	world.tenant.limits = both;
}

/* What it says, as "user=app,client-id=job-1 key=value ...; ...", or the error
 * and its sentence. */
static const char *
ask(component *v, int32_t n, bool strict)
{
	struct describe_client_quotas_request q = { .components = { v, n },
		.strict = strict };
	static char text[1024];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	world.request.body = &q;
	world.answer = NULL;
	api_describe_quotas(&world.request);
	assert_non_null(world.answer);
	if (world.answer->error_code != 0)
		fprintf(f, "%d %.*s", world.answer->error_code,
		    SLICE_FMT(world.answer->error_message));
	for (int32_t i = 0; i < world.answer->entries.n; i++) {
		const struct describe_client_quotas_response_entries *e =
		    &world.answer->entries.v[i];

		for (int32_t j = 0; j < e->entity.n; j++)
			fprintf(f, "%s%.*s=%.*s", j > 0 ? "," : "",
			    SLICE_FMT(e->entity.v[j].entity_type),
			    SLICE_FMT(e->entity.v[j].entity_name));
		for (int32_t j = 0; j < e->values.n; j++)
			fprintf(f, " %.*s=%.3f", SLICE_FMT(e->values.v[j].key),
			    e->values.v[j].value);
		fprintf(f, ";");
	}
	fputc('\0', f);
	fclose(f);
	return text;
}

#define EXACT(type, name) { SLICE_LIT(type), 0, SLICE_LIT(name) }
#define DEFAULT(type) { SLICE_LIT(type), 1, SLICE_NULL }
#define ANY(type) { SLICE_LIT(type), 2, SLICE_NULL }
#define ASK(strict, ...) ask((component[]){ __VA_ARGS__ }, \
	(int32_t)(sizeof((component[]){ __VA_ARGS__ }) / sizeof(component)), \
	strict)

#define USER "user=app producer_byte_rate=200000000.000 " \
	"consumer_byte_rate=400000000.000 controller_mutation_rate=0.833;"
#define CLIENT "user=app,client-id=job-1 consumer_byte_rate=7.000;"

/* ---- whose ---- */

static void
test_tenant(void **state)
{
	(void)state;
	assert_string_equal(ask(NULL, 0, false), USER);
	/* Its own is less, or more. */
	add_limit(QUOTA_PRINCIPAL, QUOTA_DIM_EGRESS, 5, QUOTA_ENFORCE);
	add_limit(QUOTA_PRINCIPAL, QUOTA_DIM_INGRESS, 900000000,
	    QUOTA_ENFORCE);
	assert_string_equal(ask(NULL, 0, false), "user=app "
	    "producer_byte_rate=200000000.000 consumer_byte_rate=5.000 "
	    "controller_mutation_rate=0.833;");
}

/* What slows nobody is not shown. */
static void
test_modes(void **state)
{
	(void)state;
	add_limit(QUOTA_TENANT, QUOTA_DIM_INGRESS, 1, QUOTA_SHADOW);
	add_limit(QUOTA_TENANT, QUOTA_DIM_EGRESS, 1, QUOTA_OFF);
	assert_string_equal(ask(NULL, 0, false),
	    "user=app controller_mutation_rate=0.833;");
	add_limit(QUOTA_TENANT, QUOTA_DIM_PARTITION_CHANGES, 1, QUOTA_OFF);
	assert_string_equal(ask(NULL, 0, false), "");
}

/* The pattern is another principal's. */
static void
test_others(void **state)
{
	(void)state;
	add_limit(QUOTA_PRINCIPAL, QUOTA_DIM_EGRESS, 5, QUOTA_ENFORCE);
	add_limit(QUOTA_CLIENT, QUOTA_DIM_EGRESS, 5, QUOTA_ENFORCE);
	principal_unref(world.login.principal);
	world.login.principal = principal_new(PRINCIPAL_USER, "aws", "1",
	    SLICE_LIT("app"), SLICE_NULL);
	assert_string_equal(ask(NULL, 0, false), USER);
}

static void
test_without_login(void **state)
{
	(void)state;
	limits_unref(world.config.quota.made);
	world.config.quota.made = limits_builtin("dev");
	world.session.login = NULL;
	world.session.tenant = NULL;
	world.request.client_id = SLICE_NULL;
	assert_string_equal(ask(NULL, 0, false), "user=ANONYMOUS "
	    "producer_byte_rate=1000000.000 consumer_byte_rate=2000000.000 "
	    "controller_mutation_rate=0.067;");
	assert_string_not_equal(ASK(true, EXACT("user", "ANONYMOUS")), "");
	assert_string_equal(ASK(true, ANY("user"), ANY("client-id")), "");
}

/* ---- filters ---- */

static void
test_filters(void **state)
{
	(void)state;
	add_limit(QUOTA_CLIENT, QUOTA_DIM_EGRESS, 7, QUOTA_ENFORCE);
	assert_string_equal(ask(NULL, 0, false), USER CLIENT);
	assert_string_equal(ask(NULL, 0, true), "");
	assert_string_equal(ASK(false, EXACT("user", "app")), USER CLIENT);
	assert_string_equal(ASK(true, EXACT("user", "app")), USER);
	assert_string_equal(ASK(false, EXACT("user", "ap")), "");
	assert_string_equal(ASK(false, EXACT("user", "")), "");
	assert_string_equal(ASK(false, ANY("user")), USER CLIENT);
	assert_string_equal(ASK(true, ANY("user")), USER);
	assert_string_equal(ASK(false, DEFAULT("user")), "");
	assert_string_equal(ASK(false, ANY("client-id")), CLIENT);
	assert_string_equal(ASK(true, ANY("client-id")), "");
	assert_string_equal(ASK(false, EXACT("client-id", "job-1")), CLIENT);
	assert_string_equal(ASK(false, EXACT("client-id", "job-2")), "");
	assert_string_equal(ASK(true, ANY("client-id"), EXACT("user", "app")),
	    CLIENT);
	assert_string_equal(ASK(true, ANY("user"), ANY("client-id")), CLIENT);
	assert_string_equal(ASK(true, ANY("user"), DEFAULT("client-id")), "");
	assert_string_equal(ASK(false, ANY("ip")), "");
	assert_string_equal(ASK(false, EXACT("ip", "10.0.0.1")), "");
}

static void
test_bad_filters(void **state)
{
	(void)state;
	assert_string_equal(ASK(false, ANY("")), "42 An entity type is "
	    "empty.");
	assert_string_equal(ASK(false, ANY("group")), "35 An entity type is "
	    "none of user, client-id and ip.");
	assert_string_equal(ASK(false, ANY("user"), EXACT("user", "app")),
	    "42 An entity type is given twice.");
	assert_string_equal(ASK(false, { SLICE_LIT("user"), 3, SLICE_NULL }),
	    "42 A match type is unknown.");
	assert_string_equal(ASK(false, { SLICE_LIT("user"), -1, SLICE_NULL }),
	    "42 A match type is unknown.");
	assert_string_equal(ASK(false, { SLICE_LIT("user"), 0, SLICE_NULL }),
	    "42 A name belongs to the exact match, and only to it.");
	assert_string_equal(ASK(false, { SLICE_LIT("user"), 1,
	    SLICE_LIT("app") }), "42 A name belongs to the exact match, and "
	    "only to it.");
	assert_string_equal(ASK(false, { SLICE_LIT("user"), 2,
	    SLICE_LIT("app") }), "42 A name belongs to the exact match, and "
	    "only to it.");
	assert_string_equal(ASK(false, ANY("ip"), ANY("user")),
	    "42 The type ip stands alone.");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tenant), T(test_modes), T(test_others),
		T(test_without_login), T(test_filters), T(test_bad_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
