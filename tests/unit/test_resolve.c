/* SPDX-License-Identifier: Apache-2.0 */
/* Brokers' names, with a system's resolver that answers when and what the test
 * wants. */
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <netinet/in.h>

#include "gateway/net/lookup.h"
#include "routing/resolve.h"
#include "tests/unit/net_fixture.h"
#include "tests/unit/real_dns.h"

enum { SECOND = 1000000, NAMES = 20 };

static struct {
	atomic_bool	 hangs, fails;
	atomic_int	 asked, address;
	sem_t		 go_on;
} dns;

/* Instead of libc's, about names that end in ".test". */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **found)
{
	size_t len = strlen(host);
	char text[32];

	if (len < 5 || strcmp(host + len - 5, ".test") != 0 ||
	    (hints->ai_flags & AI_NUMERICHOST) != 0)
		return real_getaddrinfo(host, service, hints, found);
	atomic_fetch_add(&dns.asked, 1);
	if (atomic_load(&dns.hangs))
		sem_wait(&dns.go_on);
	if (atomic_load(&dns.fails))
		return EAI_NONAME;
	snprintf(text, sizeof(text), "127.0.0.%d", atomic_load(&dns.address));
	return real_getaddrinfo(text, service, hints, found);
}

static _Atomic int64_t now = 100LL * SECOND;

static int64_t
clock_now(void)
{
	return now;
}

static struct loop *loop;
static struct resolver *r;
static int changes;

static void
changed(void *arg)
{
	assert_ptr_equal(arg, &changes);
	changes++;
}

static void
begin(void)
{
	clock_replace(clock_now);
	sem_init(&dns.go_on, 0, 0);
	atomic_store(&dns.hangs, false);
	atomic_store(&dns.fails, false);
	atomic_store(&dns.asked, 0);
	atomic_store(&dns.address, 1);
	loop = loop_new();
	r = resolver_new();
	changes = 0;
}

static void
end(void)
{
	resolver_free(r);
	loop_free(loop);
	clock_replace(NULL);
}

/* Which 127.0.0.N it has for that name; 0: none. */
static int
find(const char *host)
{
	struct broker_address to[BROKER_ADDRESSES_MAX];
	struct sockaddr_in in;

	if (resolver_find(r, host, 9092, to, NULL) == 0)
		return 0;
	memcpy(&in, &to[0].sa, sizeof(in));
	assert_int_equal(ntohs(in.sin_port), 9092);
	return (int)(ntohl(in.sin_addr.s_addr) & 255);
}

static void
go_on(int n)
{
	atomic_store(&dns.hangs, false);
	while (n-- > 0)
		sem_post(&dns.go_on);
}

/* While it is asked for again, a name has what it had. */
static void
keeps_what_it_had(void **state)
{
	(void)state;
	begin();
	assert_int_equal(find("a.test"), 1);
	resolver_serve(r, loop, changed, &changes);
	assert_int_equal(find("a.test"), 1);
	assert_int_equal(atomic_load(&dns.asked), 1);
	atomic_store(&dns.hangs, true);
	atomic_store(&dns.address, 2);
	now += RESOLVER_KEEP_US;
	for (int i = 0; i < 3; i++)
		assert_int_equal(find("a.test"), 1);
	UNTIL(loop, atomic_load(&dns.asked) == 2);
	assert_int_equal(find("a.test"), 1);
	go_on(1);
	UNTIL(loop, changes == 1);
	assert_int_equal(find("a.test"), 2);
	/* The same again changes nothing. */
	now += RESOLVER_KEEP_US;
	assert_int_equal(find("a.test"), 2);
	UNTIL(loop, atomic_load(&dns.asked) == 3);
	turns(loop, 5);
	/* It cannot be resolved: it keeps them, and is asked again soon. */
	atomic_store(&dns.fails, true);
	now += RESOLVER_KEEP_US;
	UNTIL(loop, find("a.test") == 2 && atomic_load(&dns.asked) == 4);
	turns(loop, 5);
	atomic_store(&dns.fails, false);
	atomic_store(&dns.address, 3);
	now += RESOLVER_RETRY_US;
	UNTIL(loop, find("a.test") == 3);
	assert_int_equal(changes, 2);
	end();
}

/* It is there in a moment, and that is told; addresses are there at once. */
static void
new_names_come_later(void **state)
{
	(void)state;
	begin();
	resolver_serve(r, loop, changed, &changes);
	assert_int_equal(find("127.0.0.7"), 7);
	assert_int_equal(find("a.test"), 0);
	UNTIL(loop, changes == 1);
	assert_int_equal(find("a.test"), 1);
	assert_int_equal(atomic_load(&dns.asked), 1);
	end();
}

static void
few_are_asked_at_once(void **state)
{
	char name[16];
	int there = 0;

	(void)state;
	begin();
	resolver_serve(r, loop, changed, &changes);
	atomic_store(&dns.hangs, true);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		assert_int_equal(find(name), 0);
	}
	UNTIL(loop, atomic_load(&dns.asked) == RESOLVER_FLYING_MAX);
	turns(loop, 5);
	assert_int_equal(atomic_load(&dns.asked), RESOLVER_FLYING_MAX);
	go_on(RESOLVER_FLYING_MAX);
	UNTIL(loop, changes == NAMES);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		there += find(name);
	}
	assert_int_equal(there, NAMES);
	end();
}

/* Names that are too many are forgotten, also those that are asked for, and so
 * they are at the end. */
static void
lookups_are_left_behind(void **state)
{
	(void)state;
	begin();
	resolver_serve(r, loop, changed, &changes);
	atomic_store(&dns.hangs, true);
	assert_int_equal(find("a.test"), 0);
	UNTIL(loop, atomic_load(&dns.asked) == 1);
	for (int i = 0; i < RESOLVER_NAMES_MAX; i++) {
		struct broker_address to[BROKER_ADDRESSES_MAX];

		assert_int_equal(resolver_find(r, "127.0.0.1", i, to, NULL), 1);
	}
	assert_int_equal(find("a.test"), 0);
	UNTIL(loop, atomic_load(&dns.asked) == 2);
	resolver_free(r);
	go_on(2);
	turns(loop, 5);
	assert_int_equal(changes, 0);
	r = resolver_new();
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_it_had),
		cmocka_unit_test(new_names_come_later),
		cmocka_unit_test(few_are_asked_at_once),
		cmocka_unit_test(lookups_are_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
