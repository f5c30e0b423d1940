/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder is watched: what changes there is taken over by itself, whole or
 * not at all, but for suspensions, and told once.
 */
#include "gateway/tenants_control.h"

#include <jansson.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "gateway/tenants_status.h"
#include "tests/unit/audit_lines.h"
#include "tests/unit/tenants_fixture.h"

static struct {
	int64_t		 now_us;
	struct gateway	 gateway;
	struct config	 config;
	uint64_t	 reloads, failed;	/* before */
} world;

static int64_t
fake_now(void)
{
	return world.now_us;
}

/* As gateway_setup does. */
static int
set_up(void **state)
{
	struct gateway *g = &world.gateway;
	struct error_list errs = { NULL, 0 };
	struct tenants *t;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_us = 1000 * 1000 * 1000;
	clock_replace(fake_now);
	log_to_file("/dev/null");
	audit_lines[0] = '\0';
	folder_begin();
	least_config(&world.config);
	g->config = &world.config;
	g->control = loop_new();
	g->metrics = metric_new();
	write_file("a.json", "{}");
	assert_true(tenants_control_load(g, g->config, &t, &errs));
	tenants_control_take(g, t);
	world.reloads = metric_total(METRIC_TENANT_RELOADS);
	world.failed = metric_total(METRIC_TENANT_RELOADS_FAILED);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tenants_control_free(&world.gateway);
	metric_free(world.gateway.metrics);
	loop_free(world.gateway.control);
	clock_replace(NULL);
	return folder_end();
}

/* A second passes. */
static void
look(void)
{
	world.now_us += TENANTS_LOOK_MS * 1000;
	loop_turn(world.gateway.control, 0);
	tenants_control_tick(&world.gateway);
}

static uint32_t
count(void)
{
	return tenants_count(world.gateway.tenants);
}

static uint64_t
reloads(void)
{
	return metric_total(METRIC_TENANT_RELOADS) - world.reloads;
}

static uint64_t
failed(void)
{
	return metric_total(METRIC_TENANT_RELOADS_FAILED) - world.failed;
}

static void
test_changes(void **state)
{
	(void)state;
	look();
	look();
	assert_int_equal(reloads(), 0);
	write_file("b.json", "{}");
	look();
	assert_int_equal(count(), 2);
	assert_int_equal(reloads(), 1);
	/* As long as it was before. */
	write_file("b.json", "{ }");
	look();
	write_file("b.json", "{\n}");
	look();
	assert_int_equal(reloads(), 3);
	assert_int_equal(unlink(path_of("b.json")), 0);
	look();
	assert_int_equal(count(), 1);
	assert_int_equal(metric_total(METRIC_TENANTS), 1);
	look();
	assert_int_equal(reloads(), 4);
	assert_int_equal(failed(), 0);
}

/* Not at each tick. */
static void
test_once_a_second(void **state)
{
	(void)state;
	look();
	write_file("b.json", "{}");
	tenants_control_tick(&world.gateway);
	assert_int_equal(count(), 1);
	look();
	assert_int_equal(count(), 2);
}

static void
test_fault(void **state)
{
	(void)state;
	write_file("b.json", "{\"suspended\": 1}");
	look();
	look();
	assert_int_equal(count(), 1);
	assert_int_equal(failed(), 1);
	assert_string_equal(audit_lines,
	    "tenants refused must be a string, but is a number\n");
	/* Another fault is another change. */
	write_file("b.json", "{\"suspended\": 12}");
	look();
	assert_int_equal(failed(), 2);
	write_file("b.json", "{\"suspended\": \"x\"}");
	look();
	assert_int_equal(count(), 2);
	assert_int_equal(reloads(), 1);
}

static void
test_folder_gone(void **state)
{
	char away[80];

	(void)state;
	snprintf(away, sizeof(away), "%s-away", folder);
	assert_int_equal(rename(folder, away), 0);
	look();
	look();
	assert_int_equal(count(), 1);
	assert_int_equal(failed(), 1);
	assert_int_equal(rename(away, folder), 0);
	look();
	assert_int_equal(reloads(), 1);
}

/* Who changes the file does not matter. */
static void
test_suspension_is_told(void **state)
{
	struct error_list errs = { NULL, 0 };
	const char *why;

	(void)state;
	write_file("a.json", "{\"suspended\": \"the bill\"}");
	look();
	assert_string_equal(audit_lines, "suspend done tenant a: the bill\n"
	    "tenants done -\n");
	audit_lines[0] = '\0';
	assert_true(tenants_set_suspended(&world.gateway, "a", NULL, &errs));
	assert_false(tenant_suspended(tenants_at(world.gateway.tenants, 0),
	    &why));
	assert_string_equal(audit_lines, "resume done tenant a\n"
	    "tenants done -\n");
	look();
	assert_int_equal(reloads(), 2);
}

/* Of the first tenant; NULL: it is not suspended. */
static void
assert_reason(const char *want)
{
	const char *why;

	(void)tenant_suspended(tenants_at(world.gateway.tenants, 0), &why);
	if (want == NULL)
		assert_null(why);
	else
		assert_string_equal(why, want);
}

static void
test_suspend(void **state)
{
	struct error_list errs = { NULL, 0 };
	const char *why;

	(void)state;
	assert_true(tenants_set_suspended(&world.gateway, "a", "w", &errs));
	assert_true(tenant_suspended(tenants_at(world.gateway.tenants, 0),
	    &why));
	assert_string_equal(why, "w");
	assert_false(tenants_set_suspended(&world.gateway, "b", "w", &errs));
	assert_int_equal(errs.n, 1);
	assert_string_equal(errs.v[0].path, "tenant");
	assert_non_null(strstr(audit_lines, "suspend refused tenant b: "));
	error_list_free(&errs);
	/* Another file's fault is told, and does not keep it from being so. */
	write_file("b.json", "[]");
	assert_true(tenants_set_suspended(&world.gateway, "a", "v", &errs));
	assert_int_equal(errs.n, 1);
	assert_non_null(strstr(errs.v[0].path, "/b.json"));
	error_list_free(&errs);
	assert_reason("v");
	/* One that is not in force cannot be suspended. */
	write_file("c.json", "{}");
	assert_false(tenants_set_suspended(&world.gateway, "c", "v", &errs));
	error_list_free(&errs);
}

/* The file is changed by hand, or by weirctl, while there are faults. */
static void
test_suspended_beside_a_fault(void **state)
{
	const struct tenant *first = tenants_at(world.gateway.tenants, 0);
	const struct config_tenant *config = first->config;
	struct tenant *was, *now;

	(void)state;
	write_file("b.json", "{\"suspended\": 1}");
	write_file("a.json", "{\"suspended\": \"x\"}");
	audit_lines[0] = '\0';
	look();
	assert_reason("x");
	assert_string_equal(audit_lines, "suspend done tenant a: x\n"
	    "tenants refused must be a string, but is a number\n");
	look();
	assert_int_equal(failed(), 1);
	/* Nothing else of it is in force, nor needs it to be right. */
	write_file("a.json", "{\"suspended\": \"y\", \"namespace\": "
	    "\"shared\", \"policies\": [\"none\"]}");
	look();
	assert_reason("y");
	first = tenants_at(world.gateway.tenants, 0);
	assert_ptr_equal(first->config, config);
	assert_ptr_equal(tenants_get(world.gateway.tenants,
	    slice_of("a")), first);
	/* What cannot be read, or is no sentence, changes nothing. */
	write_file("a.json", "{\"suspended\": null");
	look();
	write_file("a.json", "{\"suspended\": 1}");
	look();
	write_file("a.json", "{\"suspended\": \"\"}");
	look();
	assert_int_equal(unlink(path_of("a.json")), 0);
	look();
	assert_int_equal(failed(), 6);
	assert_reason("y");
	write_file("a.json", "{\"suspended\": null}");
	look();
	assert_reason(NULL);
	write_file("a.json", "{\"suspended\": \"z\"}");
	look();
	assert_reason("z");
	assert_int_equal(count(), 1);
	assert_int_equal(reloads(), 0);
	/* Whoever came meanwhile is looked at as everybody else. */
	was = tenant_ref(tenants_get(world.gateway.tenants, slice_of("a")));
	write_file("a.json", "{\"suspended\": \"z\", \"namespace\": "
	    "\"shared\"}");
	assert_int_equal(unlink(path_of("b.json")), 0);
	look();
	assert_int_equal(reloads(), 1);
	assert_reason("z");
	now = tenants_get(world.gateway.tenants, slice_of("a"));
	assert_true(tenant_moved(was, now));
	assert_false(tenant_moved(now, now));
	tenant_unref(was);
}

static void
test_status(void **state)
{
	struct gateway *g = &world.gateway;
	struct error err;
	json_t *v, *one;

	(void)state;
	write_file("b.json", "{\"namespace\": \"shared\", \"networks\": "
	    "{\"cidrs\": [\"10.0.0.0/8\", \"2001:db8::/32\"]}, \"suspended\": "
	    "\"x\"}");
	look();
	v = tenants_status(g, NULL, &err);
	assert_int_equal(json_array_size(json_object_get(v, "tenants")), 2);
	json_decref(v);
	v = tenants_status(g, "b", &err);
	one = json_array_get(json_object_get(v, "tenants"), 0);
	assert_string_equal(json_string_value(json_object_get(one, "id")),
	    "b");
	assert_string_equal(json_string_value(json_object_get(one,
	    "namespace")), "shared");
	assert_string_equal(json_string_value(json_object_get(one,
	    "suspended")), "x");
	one = json_object_get(json_object_get(one, "networks"), "cidrs");
	assert_string_equal(json_string_value(json_array_get(one, 0)),
	    "10.0.0.0/8");
	assert_string_equal(json_string_value(json_array_get(one, 1)),
	    "2001:db8::/32");
	json_decref(v);
	assert_null(tenants_status(g, "c", &err));
	assert_string_equal(err.text, "there is no tenant c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(test_changes), T(test_once_a_second), T(test_fault),
		T(test_folder_gone), T(test_suspension_is_told),
		T(test_suspend), T(test_suspended_beside_a_fault),
		T(test_status),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
