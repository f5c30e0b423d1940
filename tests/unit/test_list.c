/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
	int		 n;
	struct list	 link;
};

/* The items' numbers as decimal digits. */
static int
digits(struct list *head)
{
	int sum = 0;

	LIST_FOREACH(it, head)
		sum = sum * 10 + LIST_ENTRY(it, struct item, link)->n;
	return sum;
}

static void
test_list(void **state)
{
	struct item v[4] = { { .n = 1 }, { .n = 2 }, { .n = 3 }, { .n = 4 } };
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	for (int i = 0; i < 4; i++)
		list_init(&v[i].link);
	list_append(&head, &v[1].link);
	list_append(&head, &v[2].link);
	list_prepend(&head, &v[0].link);
	list_append(&head, &v[3].link);
	assert_false(list_empty(&head));
	assert_int_equal(digits(&head), 1234);
	list_remove(&v[2].link);
	list_remove(&v[2].link);		/* on no list: nothing */
	assert_int_equal(digits(&head), 124);
	LIST_FOREACH_SAFE(it, &head)
		if (LIST_ENTRY(it, struct item, link)->n != 2)
			list_remove(it);
	assert_int_equal(digits(&head), 2);
	list_remove(&v[1].link);
	assert_true(list_empty(&head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
