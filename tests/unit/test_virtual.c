/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "routing/virtual.h"

/* What clients say of themselves in ApiVersions, and whether they keep broker
 * ids at one address apart: measured with each. "" is none. */
static const struct client {
	const char	*name, *version;
	bool		 apart;
} clients[] = {
	{ "apache-kafka-java", "4.3.0", true },
	{ "apache-kafka-java", "3.6.2", true },
	{ "apache-kafka-java", "2.8.2", true },
	{ "librdkafka", "2.0.2", false },
	{ "librdkafka", "2.8.0", false },
	{ "librdkafka", "2.10.0", true },
	{ "librdkafka", "2.15.0-1-g4c3b01", true },
	{ "librdkafka", "v2.10.0", true },
	{ "librdkafka", "1.9.2", false },
	{ "librdkafka", "10.0.0", true },
	{ "confluent-kafka-python", "2.8.2-rdkafka-2.8.0", false },
	/* The wrapper's version says nothing. */
	{ "confluent-kafka-python", "2.9.0-rdkafka-2.8.0", false },
	{ "confluent-kafka-python", "2.11.0-rdkafka-2.8.0", false },
	{ "confluent-kafka-python", "2.10.0-rdkafka-2.10.0", true },
	{ "confluent-kafka-python", "2.10.1-rdkafka-2.10.1", true },
	{ "confluent-kafka-python", "2.11.1-rdkafka-2.11.1", true },
	{ "confluent-kafka-python", "2.12.2-rdkafka-2.12.1", true },
	{ "confluent-kafka-python", "2.16.1-rdkafka-2.16.0", true },
	{ "confluent-kafka-python", "2.16.1", false },
	{ "confluent-kafka-go", "2.8.0", false },
	{ "confluent-kafka-go", "2.11.1", true },
	{ "confluent-kafka-dotnet", "2.8.0", false },
	{ "confluent-kafka-dotnet", "2.10.0", true },
	{ "confluent-kafka-javascript",
	    "1.10.1-librdkafka-2.15.0-1-g4c3b01", true },
	{ "confluent-kafka-javascript", "1.2.0-librdkafka-2.8.0", false },
	{ "karafka", "v2.4.0-rdkafka-ruby-v0.16.0-librdkafka-v2.10.0", true },
	{ "karafka", "v2.4.0-rdkafka-ruby-v0.16.0-librdkafka-v2.4.0", false },
	{ "ClickHouse", "25.3.1.1", false },
	{ "kgo", "v1.22.2", true },
	{ "kgo", "v1.21.0", true },
	{ "kgo", "v1.10.4", false },
	{ "sarama", "v1.61.1", true },
	{ "sarama", "dev", true },
	{ "kafka-python", "3.0.12", true },
	{ "kafka-python", "2.2.15", false },
	{ "kafka-python", "2.0.2", false },
	{ "platformatic-kafka", "1.35.0", false },
	{ "rskafka", "0.6.0", true },
	/* kafkajs, kafka-go, aiokafka, kafka-python 2.0.2 */
	{ "", "", false },
	{ "", "2.10.0-rdkafka-2.10.0", false },
	/* What cannot be read is none. */
	{ "librdkafka", "", false },
	{ "librdkafka", "unknown", false },
	{ "librdkafka", "-2.10.0", false },
	{ "librdkafka", "2", false },
	{ "x", "rdkafka-", false },
	{ "x", "rdkafka-2.10.0-rdkafka-dev", false },
	{ "apache-kafka-java-2", "4.3.0", false },
	{ "Apache-Kafka-Java", "4.3.0", false },
};

static void
test_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		const struct client *c = &clients[i];

		if (virtual_keeps_apart(NULL, slice_of(c->name),
		    slice_of(c->version)) != c->apart)
			fail_msg("%s %s is not %s", c->name, c->version,
			    c->apart ? "apart" : "together");
	}
	assert_false(virtual_keeps_apart(NULL, SLICE_NULL, SLICE_NULL));
}

static void
test_own_rules(void **state)
{
	const struct virtual_rule rules[] = {
		{ "mine", "core-", { 1, 2, 3 } },
		{ "any", "", { 0, 0, 0 } },
		{ NULL, NULL, { 0, 0, 0 } },
	};

	(void)state;
	assert_true(virtual_keeps_apart(rules, SLICE_LIT("mine"),
	    SLICE_LIT("9-core-1.2.3")));
	assert_false(virtual_keeps_apart(rules, SLICE_LIT("mine"),
	    SLICE_LIT("9-core-1.2.2")));
	assert_true(virtual_keeps_apart(rules, SLICE_LIT("any"), SLICE_NULL));
	assert_false(virtual_keeps_apart(rules, SLICE_LIT("sarama"),
	    SLICE_LIT("1")));
}

static int32_t ids[] = { 1, 3, 7, 9 };
static struct broker brokers[] = { { .id = 1 }, { .id = 7 }, { .id = 9 } };
/* Broker 3 is away. */
static struct cluster cluster = {
	.brokers = brokers, .broker_count = 3, .known = { ids, 4 },
	.cluster_id = { (const uint8_t *)"kafka", 5 },
};

static void
test_counts(void **state)
{
	struct cluster empty = { .broker_count = 0 };

	(void)state;
	assert_int_equal(virtual_count(&cluster, 1), 1);
	assert_int_equal(virtual_count(&cluster, 5), 5);
	assert_int_equal(virtual_count(&cluster, 0), 1);
	assert_int_equal(virtual_count(&empty, VIRTUAL_AUTO), 1);
	/* One that is away counts: the others keep their ids. */
	assert_int_equal(virtual_count(&cluster, VIRTUAL_AUTO), 4);
}

static void
test_ids(void **state)
{
	static const struct {
		int32_t	real, one, two, four;
	} rows[] = {
		{ 1, 0, 0, 0 }, { 3, 0, 1, 1 }, { 7, 0, 0, 2 },
		{ 9, 0, 1, 3 }, { 2, -1, -1, -1 }, { -1, -1, -1, -1 },
		{ INT32_MIN, -1, -1, -1 }, { INT32_MAX, -1, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int32_t real = rows[i].real;

		assert_int_equal(virtual_broker(&cluster, 1, real),
		    rows[i].one);
		assert_int_equal(virtual_broker(&cluster, 2, real),
		    rows[i].two);
		assert_int_equal(virtual_broker(&cluster, 4, real),
		    rows[i].four);
	}
	assert_int_equal(virtual_real(&cluster, 4, 0), 1);
	assert_int_equal(virtual_real(&cluster, 4, 1), -1);	/* away */
	assert_int_equal(virtual_real(&cluster, 4, 2), 7);
	assert_int_equal(virtual_real(&cluster, 4, 3), 9);
	assert_int_equal(virtual_real(&cluster, 4, 4), -1);
	assert_int_equal(virtual_real(&cluster, 4, -1), -1);
	/* Two of them. */
	assert_int_equal(virtual_real(&cluster, 2, 0), -1);
	assert_int_equal(virtual_real(&cluster, 2, 1), 9);
	assert_int_equal(virtual_real(&cluster, 1, 0), -1);
}

static void
test_lists(void **state)
{
	int32_t real[] = { 9, 2, 7, 1, 9 };
	struct int32_list from = { real, 5 }, none = { NULL, 0 }, to;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	to = virtual_brokers(&cluster, 4, &from, &a);
	assert_int_equal(to.n, 3);
	assert_int_equal(to.v[0], 3);
	assert_int_equal(to.v[1], 2);
	assert_int_equal(to.v[2], 0);
	assert_int_equal(virtual_brokers(&cluster, 1, &from, &a).n, 1);
	assert_int_equal(virtual_brokers(&cluster, 1, &none, &a).n, 0);
	arena_fini(&a);
}

static void
test_keys(void **state)
{
	bool seen[4] = { false };

	(void)state;
	/* The same on each node and in each release. */
	assert_int_equal(virtual_for_key(3, SLICE_LIT("")), 2166136261u % 3);
	for (int i = 0; i < 100; i++) {
		char key[16];
		int32_t id;

		snprintf(key, sizeof(key), "group-%d", i);
		id = virtual_for_key(4, slice_of(key));
		assert_in_range(id, 0, 3);
		assert_int_equal(virtual_for_key(1, slice_of(key)), 0);
		seen[id] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

static void
test_cluster_id(void **state)
{
	struct cluster other = { .cluster_id = SLICE_LIT("kafkb") };
	struct cluster none = { .cluster_id = SLICE_NULL };
	struct arena a;
	struct slice id;

	(void)state;
	arena_init(&a, 0);
	id = virtual_cluster_id(&cluster, &a);
	assert_int_equal(id.len, 22);
	assert_true(slice_eq(id, virtual_cluster_id(&cluster, &a)));
	assert_false(slice_eq(id, virtual_cluster_id(&other, &a)));
	assert_int_equal(virtual_cluster_id(&none, &a).len, 22);
	/* base64url of the first 16 bytes of SHA-256 of the real one */
	assert_true(slice_is(id, "y78kHuvtum_V5lezxWD8nQ"));
	arena_fini(&a);
}

static void
test_memory(void **state)
{
	char name[600];
	bool apart;

	(void)state;
	assert_false(virtual_recall("10.0.0.1", SLICE_LIT("a"), &apart));
	virtual_remember("10.0.0.1", SLICE_LIT("a"), true);
	virtual_remember("10.0.0.1", SLICE_LIT("b"), false);
	assert_true(virtual_recall("10.0.0.1", SLICE_LIT("a"), &apart));
	assert_true(apart);
	assert_true(virtual_recall("10.0.0.1", SLICE_LIT("b"), &apart));
	assert_false(apart);
	assert_false(virtual_recall("10.0.0.2", SLICE_LIT("a"), &apart));
	virtual_remember("10.0.0.1", SLICE_LIT("a"), false);
	assert_true(virtual_recall("10.0.0.1", SLICE_LIT("a"), &apart));
	assert_false(apart);
	memset(name, 'x', sizeof(name));
	virtual_remember("h", (struct slice){ (uint8_t *)name, 600 }, true);
	assert_true(virtual_recall("h", (struct slice){ (uint8_t *)name, 600 },
	    &apart));
	/* It is bounded: the oldest go, the newest is known. */
	for (int i = 0; i <= VIRTUAL_REMEMBERED; i++) {
		snprintf(name, sizeof(name), "client-%d", i);
		virtual_remember("h", slice_of(name), true);
	}
	assert_true(virtual_recall("h", slice_of(name), &apart));
	assert_false(virtual_recall("10.0.0.1", SLICE_LIT("a"), &apart));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_own_rules),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_cluster_id),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
