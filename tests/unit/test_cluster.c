/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "routing/cluster.h"

enum { MANY = 50 };

/* Every id that is there, those between, and both ends. */
static void
test_search(void **state)
{
	struct broker brokers[MANY];
	int32_t known[MANY];
	struct cluster c = { .brokers = brokers };

	(void)state;
	for (int32_t i = 0; i < MANY; i++) {
		brokers[i] = (struct broker){ .id = i * 2 + 1 };
		known[i] = i * 2 + 1;
	}
	for (int32_t n = 0; n <= MANY; n++) {
		c.broker_count = n;
		c.known = (struct int32_list){ known, n };
		for (int32_t id = -1; id < MANY * 2 + 2; id++) {
			bool there = id > 0 && id % 2 == 1 && id / 2 < n;

			assert_ptr_equal(cluster_broker(&c, id),
			    there ? &brokers[id / 2] : NULL);
			assert_int_equal(cluster_broker_rank(&c, id),
			    there ? id / 2 : -1);
		}
	}
}

/* Indexes with a gap, as no broker sends them. */
static void
test_partitions(void **state)
{
	struct partition parts[3] = { { .index = 0 }, { .index = 2 },
		{ .index = 1000000 } };
	struct topic t = { .partitions = parts, .partition_count = 3 };

	(void)state;
	assert_ptr_equal(topic_partition(&t, 0), &parts[0]);
	assert_null(topic_partition(&t, 1));
	assert_ptr_equal(topic_partition(&t, 2), &parts[1]);
	assert_ptr_equal(topic_partition(&t, 1000000), &parts[2]);
	assert_null(topic_partition(&t, -1));
	assert_null(topic_partition(&t, INT32_MIN));
	assert_null(topic_partition(&t, INT32_MAX));
	t.partition_count = 0;
	assert_null(topic_partition(&t, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
