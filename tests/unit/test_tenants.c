/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenants: a folder is read whole with all its faults, and a client is found to
 * be one tenant's, two's or nobody's.
 */
#include "gateway/tenants.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <pthread.h>

#include "auth/principal.h"
#include "gateway/base/mem.h"
#include "gateway/net/conn.h"
#include "routing/names.h"
#include "tests/unit/tenants_fixture.h"

static struct {
	struct config		*config;
	struct tenants		*tenants;
} world;

static void
write_tenant(const char *id, const char *text)
{
	char name[300];

	snprintf(name, sizeof(name), "tenants/%s.json", id);
	write_file(name, text);
}

static int
set_up(void **state)
{
	static const char form[] = "{\"cluster\": {\"bootstrap\": \"k:1\"}, "
	    "\"listeners\": [{\"address\": \"127.0.0.1:9092\"}, {\"name\": "
	    "\"inside\", \"address\": \"127.0.0.1:9093\"}], \"auth\": "
	    "{\"account\": \"123456789012\", \"regions\": [\"eu-central-1\"], "
	    "\"cluster_name\": \"demo\", \"policies_dir\": \"%s\"}, "
	    "\"tenants_dir\": \"%s/tenants\"}";
	struct error_list errs = { NULL, 0 };
	char text[1024];

	(void)state;
	memset(&world, 0, sizeof(world));
	folder_begin();
	assert_int_equal(mkdir(path_of("tenants"), 0700), 0);
	snprintf(text, sizeof(text), form, folder, folder);
	world.config = config_parse(text, strlen(text), &errs);
	error_list_print(&errs, stderr, "test: ");
	assert_non_null(world.config);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tenants_unref(world.tenants);
	config_unref(world.config);
	return folder_end();
}

static void
load(void)
{
	struct error_list errs = { NULL, 0 };
	bool ok;

	tenants_unref(world.tenants);
	ok = tenants_load(world.config, &world.tenants, &errs);
	error_list_print(&errs, stderr, "test: ");
	assert_true(ok);
	assert_int_equal(errs.n, 0);
	assert_non_null(world.tenants);
}

static struct tenant *
get(const char *id)
{
	struct tenant *t = tenants_get(world.tenants, slice_of(id));

	assert_non_null(t);
	return t;
}

/* ---- loading ---- */

static void
test_none(void **state)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *to;

	(void)state;
	free(world.config->tenants_dir);
	world.config->tenants_dir = NULL;
	assert_true(tenants_load(world.config, &to, &errs));
	assert_null(to);
	assert_int_equal(tenants_count(NULL), 0);
	assert_null(tenants_get(NULL, SLICE_LIT("a")));
}

static void
test_defaults(void **state)
{
	struct tenant *t;
	const char *why;
	char first[40];

	(void)state;
	write_tenant("b", "{}");
	write_tenant("a", "{}");
	/* What editors leave behind is nobody. */
	write_file("tenants/a.json.new", "nothing");
	write_file("tenants/.a.json", "nothing");
	write_file("tenants/README", "nothing");
	load();
	assert_int_equal(tenants_count(world.tenants), 2);
	assert_string_equal(tenants_at(world.tenants, 0)->id, "a");
	assert_string_equal(tenants_at(world.tenants, 1)->id, "b");
	t = get("a");
	assert_string_equal(t->cluster.partition, "aws");
	assert_string_equal(t->cluster.region, "eu-central-1");
	assert_string_equal(t->cluster.account, "123456789012");
	assert_string_equal(t->cluster.name, "demo");
	/* By the id alone, for ever the same. */
	assert_string_equal(t->cluster.uuid,
	    "e192eef5-99b5-8bde-b681-7012c4b72a4b");
	assert_string_equal(t->arn, "arn:aws:kafka:eu-central-1:123456789012:"
	    "cluster/demo/e192eef5-99b5-8bde-b681-7012c4b72a4b");
	assert_string_not_equal(get("b")->cluster.uuid, t->cluster.uuid);
	assert_false(tenant_suspended(t, &why));
	assert_true(slice_is(names_prefix(t->names), "a."));
	snprintf(first, sizeof(first), "%s", t->cluster.uuid);
	load();
	assert_string_equal(get("a")->cluster.uuid, first);
}

static void
test_all_members(void **state)
{
	struct arena a;
	struct slice name;
	struct tenant *t;
	const char *why;

	(void)state;
	write_file("reader.json", "{\"Version\": \"2012-10-17\", "
	    "\"Statement\": {\"Effect\": \"Allow\", \"Action\": "
	    "\"kafka-cluster:*\", \"Resource\": \"*\"}}");
	write_tenant("pay", "{\"cluster_uuid\": "
	    "\"0b3c2f00-1111-2222-3333-0123456789ab-s1\", \"cluster_name\": "
	    "\"pay\", \"region\": \"us-east-1\", \"account\": \"1\", "
	    "\"policies\": [\"reader\"], \"suspended\": \"bill unpaid\", "
	    "\"adopt\": {\"topics\": [{\"name\": \"old\", \"as\": \"new\"}, "
	    "{\"name\": \"same\"}]}}");
	write_tenant("all", "{\"namespace\": \"shared\", \"policies\": "
	    "[\"reader\"]}");
	load();
	t = get("pay");
	assert_string_equal(t->arn, "arn:aws:kafka:us-east-1:1:cluster/pay/"
	    "0b3c2f00-1111-2222-3333-0123456789ab-s1");
	assert_int_equal(t->policy_count, 1);
	assert_string_equal(policy_name(t->policies[0]), "reader");
	/* The document is compiled once. */
	assert_ptr_equal(get("all")->policies[0], t->policies[0]);
	assert_true(tenant_suspended(t, &why));
	assert_string_equal(why, "bill unpaid");
	arena_init(&a, 0);
	assert_true(names_outward(t->names, NAME_TOPIC, SLICE_LIT("old"),
	    &name, &a));
	assert_true(slice_is(name, "new"));
	assert_true(names_owns(t->names, NAME_TOPIC, SLICE_LIT("same")));
	assert_false(names_owns(t->names, NAME_GROUP, SLICE_LIT("old")));
	/* A shared one sees all but what prefixed ones have. */
	assert_true(names_owns(get("all")->names, NAME_TOPIC,
	    SLICE_LIT("old")));
	assert_false(names_owns(get("all")->names, NAME_TOPIC,
	    SLICE_LIT("pay.x")));
	assert_true(tenant_moved(t, get("all")));
	assert_false(tenant_moved(t, t));
	arena_fini(&a);
}

static void
expect_faults(const char *want)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *to;
	char *text = NULL, prefix[80];
	size_t size = 0, n = strlen(folder);
	FILE *f = open_memstream(&text, &size);

	assert_false(tenants_load(world.config, &to, &errs));
	assert_null(to);
	/* The test's folder is at the begin of each. */
	snprintf(prefix, sizeof(prefix), "%s/", folder);
	for (uint32_t i = 0; i < errs.n; i++) {
		const char *path = errs.v[i].path, *why = errs.v[i].reason;

		if (strncmp(path, prefix, n + 1) == 0)
			path += n + 1;
		if (strncmp(why, prefix, n + 1) == 0)
			why += n + 1;
		fprintf(f, "%s: %s\n", path, why);
	}
	fclose(f);
	assert_string_equal(text, want);
	free(text);
	error_list_free(&errs);
}

static void
test_faults(void **state)
{
	(void)state;
	write_tenant("a", "{\"namespace\": \"private\", \"member\": []}");
	write_tenant("b", "{\"members\": [{}, {\"listener\": \"outside\"}], "
	    "\"networks\": {\"cidrs\": [\"10.0.0.0/8\", \"192.168.0.0/16\", "
	    "\"127.0.0.1\"], \"vpc_endpoints\": [\"v1\", \"v2\", \"v3\"]}}");
	write_tenant("c", "{\"cluster_uuid\": \"c\", \"cluster_name\": "
	    "\"a/b\", \"policies\": [\"none\", \"../x\"], \"adopt\": "
	    "{\"groups\": [{\"name\": \"g-*\", \"as\": \"g\"}]}}");
	write_tenant("d", "{\"a\": 1, \"a\": 2}");
	write_tenant("e", "{\"suspended\": \"\", \"adopt\": {\"topics\": "
	    "[{}]}}");
	expect_faults("tenants/a.json: member: is not an option of weir\n"
	    "tenants/a.json: namespace: must be one of prefixed|shared, but is "
	    "\"private\"\n"
	    "tenants/b.json: members[0]: would make everybody a member: give "
	    "principal, access_key, tenant_claim, certificate, listener or "
	    "sni\n"
	    "tenants/b.json: members[1].listener: there is no listener "
	    "outside\n"
	    "tenants/b.json: networks: has 6 cidrs and vpc_endpoints: 5 are "
	    "the most\n"
	    "tenants/c.json: cluster_uuid: must be a UUID, such as one of "
	    "uuidgen(1)\n"
	    "tenants/c.json: cluster_name: must not have blanks, or any of "
	    "* ? $ / : (it stands in ARNs)\n"
	    "tenants/c.json: policies[0]: none.json: it cannot be opened: No "
	    "such file or directory\n"
	    "tenants/c.json: policies[1]: is no policy's name\n"
	    "tenants/c.json: adopt.groups[0]: both names must end in a "
	    "star, or none\n"
	    "tenants/d.json: 1:12: duplicate object key near '\"a\"'\n"
	    "tenants/e.json: adopt.topics[0].name: is required\n"
	    "tenants/e.json: suspended: must have between 1 and 256 bytes, but "
	    "has 0\n");
}

/* A rule may not take in what another tenant has behind its prefix, now or
 * later. */
static void
test_adopts_what_is_anothers(void **state)
{
	(void)state;
	write_tenant("clicks", "{}");
	write_tenant("clicks-eu", "{}");
	write_tenant("pages", "{\"namespace\": \"shared\"}");
	/* These are nobody's, or not behind a prefix. */
	write_tenant("search", "{\"adopt\": {\"topics\": [{\"name\": "
	    "\"clicks\"}, {\"name\": \"clicks-eu_*\"}, {\"name\": "
	    "\"clicks-us.*\"}, {\"name\": \"pages.*\"}, {\"name\": "
	    "\"x.clicks.*\"}]}}");
	load();
	write_tenant("search", "{\"adopt\": {\"topics\": [{\"name\": "
	    "\"clicks-*\"}, {\"name\": \"clicks.x\", \"as\": \"x\"}], "
	    "\"groups\": [{\"name\": \"clicks-e*\"}, {\"name\": "
	    "\"clicks-eu\"}], \"transactional_ids\": "
	    "[{\"name\": \"ok\"}, {\"name\": \"clicks-eu.t*\"}]}}");
	write_tenant("zoo", "{\"adopt\": {\"groups\": [{\"name\": "
	    "\"search.*\"}]}}");
	expect_faults("tenants/search.json: adopt.topics[0]: it takes in names "
	    "of tenant clicks-eu, which begin with clicks-eu.\n"
	    "tenants/search.json: adopt.topics[1]: it takes in names of tenant "
	    "clicks, which begin with clicks.\n"
	    "tenants/search.json: adopt.groups[0]: it takes in names of tenant "
	    "clicks-eu, which begin with clicks-eu.\n"
	    "tenants/search.json: adopt.transactional_ids[1]: it takes in "
	    "names of tenant clicks-eu, which begin with clicks-eu.\n"
	    "tenants/zoo.json: adopt.groups[0]: it takes in names of tenant "
	    "search, which begin with search.\n");
}

static void
test_bad_names(void **state)
{
	(void)state;
	write_tenant("A", "{}");
	write_tenant("a_b", "{}");
	write_tenant("-a", "{}");
	write_tenant("a23456789-123456789-123456789-123456789-123456789-"
	    "123456789-1234", "{}");
	write_tenant("a23456789-123456789-123456789-123456789-123456789-"
	    "123456789-12345", "{}");
#define WHY "is no tenant's name: it must be made of a-z, 0-9 and -, have at " \
	"most 64 characters before .json, and not begin with -\n"
	expect_faults("tenants/-a.json: " WHY "tenants/A.json: " WHY
	    "tenants/a23456789-123456789-123456789-123456789-123456789-"
	    "123456789-12345.json: " WHY "tenants/a_b.json: " WHY);
#undef WHY
}

static void
test_same_cluster(void **state)
{
#define UUID "{\"cluster_uuid\": \"0b3c2f00-1111-2222-3333-0123456789ab\"}"
	(void)state;
	write_tenant("a", UUID);
	write_tenant("b", UUID);
#undef UUID
	expect_faults("tenants/b.json: cluster_uuid: is the one of tenant a, "
	    "too\n");
}

/* A document's own faults are told once, whoever names it. */
static void
test_broken_policy(void **state)
{
	(void)state;
	write_file("broken.json", "{\"Version\": \"2012-10-17\", "
	    "\"Statement\": []}");
	write_tenant("a", "{\"policies\": [\"broken\"]}");
	write_tenant("b", "{\"policies\": [\"broken\"]}");
	expect_faults("broken.json: Statement: must have 1 to 1000 statements, "
	    "but has 0\n"
	    "tenants/b.json: policies[0]: the policy broken has faults\n");
}

static void
test_no_folder(void **state)
{
	char want[160];

	(void)state;
	assert_int_equal(rmdir(path_of("tenants")), 0);
	snprintf(want, sizeof(want), "tenants_dir: tenants cannot be read: No "
	    "such file or directory\n");
	expect_faults(want);
}

static void
test_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("tenants/a.json"), 0700), 0);
	expect_faults("tenants/a.json: it is no file\n");
}

/* The samples are right. */
static void
test_samples(void **state)
{
	struct error_list errs = { NULL, 0 };
	char *dir = realpath("conf/tenants.d", NULL);
	char *policies = realpath("conf/policies", NULL);

	(void)state;
	if (dir == NULL || policies == NULL)
		fail_msg("run it at the repository's root");
	free(world.config->tenants_dir);
	free(world.config->auth.policies_dir);
	world.config->tenants_dir = dir;
	world.config->auth.policies_dir = policies;
	if (!tenants_load(world.config, &world.tenants, &errs)) {
		error_list_print(&errs, stderr, "test: ");
		fail();
	}
	assert_int_equal(tenants_count(world.tenants), 3);
}

/* ---- finding ---- */

static struct principal *
principal_of(enum principal_kind kind, const char *name)
{
	return principal_new(kind, "aws", "123456789012", slice_of(name),
	    kind == PRINCIPAL_ROLE ? SLICE_LIT("run-1") : SLICE_NULL);
}

/* The id of the tenant that is found, or the reason. */
static const char *
find(const struct tenant_client *c)
{
	static struct error err;
	struct tenant *t;
	enum tenant_verdict v = tenants_find(world.tenants, c, &t, &err);

	assert_int_equal(t != NULL, v == TENANT_FOUND);
	return t != NULL ? t->id : err.text;
}

static const char *
find_principal(struct principal *p)
{
	struct tenant_client c = { .principal = p, .listener = "kafka" };
	const char *found = find(&c);

	principal_unref(p);
	return found;
}

static void
test_by_principal(void **state)
{
	(void)state;
	write_tenant("a", "{\"members\": [{\"principal\": "
	    "\"arn:aws:iam::123456789012:user/alice\"}]}");
	write_tenant("r", "{\"members\": [{\"principal\": "
	    "\"arn:aws:iam::*:role/app-?\"}]}");
	write_tenant("s", "{\"members\": [{\"principal\": "
	    "\"arn:aws:sts::123456789012:assumed-role/one/run-1\"}, "
	    "{\"principal\": \"arn:aws:sts::*/two/*\"}]}");
	load();
	assert_string_equal(find_principal(principal_of(PRINCIPAL_USER,
	    "alice")), "a");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_USER,
	    "alicex")), "it is no tenant's member");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_ROLE,
	    "app-1")), "r");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_ROLE,
	    "app-12")), "it is no tenant's member");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_ROLE,
	    "one")), "s");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_ROLE,
	    "two")), "s");
	/* Without a login there is no principal. */
	assert_string_equal(find_principal(NULL), "it is no tenant's member");
}

static void
test_by_credential(void **state)
{
	struct principal *p;

	(void)state;
	write_tenant("c", "{\"members\": [{\"certificate\": \"*.c\"}]}");
	write_tenant("d", "{\"members\": [{\"certificate\": \"exact\"}]}");
	write_tenant("k", "{\"members\": [{\"access_key\": \"AKIA1\"}]}");
	write_tenant("t", "{\"members\": [{\"tenant_claim\": \"team-t\"}]}");
	load();
	p = principal_of(PRINCIPAL_USER, "alice");
	p->key_id = mem_strdup("AKIA1");
	assert_string_equal(find_principal(p), "k");
	p = principal_of(PRINCIPAL_USER, "alice");
	p->key_id = mem_strdup("AKIA12");
	assert_string_equal(find_principal(p), "it is no tenant's member");
	p = principal_of(PRINCIPAL_TOKEN, "s");
	p->tenant = mem_strdup("team-t");
	assert_string_equal(find_principal(p), "t");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_CERTIFICATE,
	    "x.c")), "c");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_CERTIFICATE,
	    "exact")), "d");
	/* Somebody else of the same name. */
	assert_string_equal(find_principal(principal_of(PRINCIPAL_USER,
	    "x.c")), "it is no tenant's member");
	assert_string_equal(find_principal(principal_of(PRINCIPAL_TOKEN,
	    "exact")), "it is no tenant's member");
}

static void
test_by_place(void **state)
{
	struct tenant_client c = { .listener = "kafka" };

	(void)state;
	write_tenant("in", "{\"members\": [{\"listener\": \"inside\"}]}");
	write_tenant("s", "{\"members\": [{\"sni\": \"S.example.com\"}, "
	    "{\"sni\": \"*.s.example.com\"}]}");
	load();
	assert_string_equal(find(&c), "it is no tenant's member");
	c.server_name = "s.EXAMPLE.com";
	assert_string_equal(find(&c), "s");
	c.server_name = "b-1.S.example.com";
	assert_string_equal(find(&c), "s");
	c.server_name = "s.example.com.evil";
	assert_string_equal(find(&c), "it is no tenant's member");
	c.listener = "inside";
	assert_string_equal(find(&c), "in");
	c.server_name = "s.example.com";
	assert_string_equal(find(&c),
	    "it is a member of two tenants, in and s");
}

/* All of a rule must fit, and one rule is enough. */
static void
test_and_or(void **state)
{
	struct principal *p = principal_of(PRINCIPAL_USER, "alice");
	struct tenant_client c = { .principal = p, .listener = "kafka" };

	(void)state;
	write_tenant("a", "{\"members\": [{\"principal\": \"*user/alice\", "
	    "\"listener\": \"inside\", \"sni\": \"a\"}, {\"principal\": "
	    "\"*user/bob\"}, {\"access_key\": \"K\", \"listener\": "
	    "\"kafka\"}]}");
	load();
	assert_string_equal(find(&c), "it is no tenant's member");
	c.listener = "inside";
	assert_string_equal(find(&c), "it is no tenant's member");
	c.server_name = "a";
	assert_string_equal(find(&c), "a");
	c.principal = NULL;
	assert_string_equal(find(&c), "it is no tenant's member");
	/* Somewhere: what is not known is not wanted. */
	c = (struct tenant_client){ .principal = p, .somewhere = true };
	assert_string_equal(find(&c), "a");
	c.somewhere = false;
	p->key_id = mem_strdup("K");
	assert_string_equal(find(&c), "it is no tenant's member");
	c.listener = "kafka";
	assert_string_equal(find(&c), "a");
	principal_unref(p);
}

/* Two rules of one tenant are no conflict; two tenants' are, whatever place
 * the rules stand at. */
static void
test_overlap(void **state)
{
	struct principal *p = principal_of(PRINCIPAL_USER, "alice");
	struct tenant_client c = { .principal = p, .listener = "kafka" };
	struct tenant *t;
	struct error err;

	(void)state;
	p->key_id = mem_strdup("K");
	write_tenant("b", "{\"members\": [{\"access_key\": \"K\"}, "
	    "{\"principal\": \"*user/*\"}]}");
	load();
	assert_string_equal(find(&c), "b");
	write_tenant("a", "{\"members\": [{\"principal\": "
	    "\"arn:aws:iam::123456789012:user/alice\"}]}");
	load();
	assert_int_equal(tenants_find(world.tenants, &c, &t, &err),
	    TENANT_AMBIGUOUS);
	assert_null(t);
	assert_non_null(strstr(err.text, "two tenants"));
	assert_non_null(strstr(err.text, "a"));
	principal_unref(p);
}

static void
come_from(struct conn_peer *p, const char *address, const char *vpce)
{
	memset(p, 0, sizeof(*p));
	p->remote.in.sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, address, &p->remote.in.sin_addr),
	    1);
	snprintf(p->vpce, sizeof(p->vpce), "%s", vpce);
}

static void
test_networks(void **state)
{
	struct conn_peer peer;
	struct tenant_client c = { .listener = "inside", .peer = &peer };
	struct tenant *t;
	struct error err;

	(void)state;
	write_tenant("a", "{\"members\": [{\"listener\": \"inside\"}], "
	    "\"networks\": {\"cidrs\": [\"10.1.0.0/16\"], \"vpc_endpoints\": "
	    "[\"vpce-1\"]}}");
	load();
	come_from(&peer, "10.1.2.3", "");
	assert_string_equal(find(&c), "a");
	come_from(&peer, "10.2.2.3", "");
	assert_int_equal(tenants_find(world.tenants, &c, &t, &err),
	    TENANT_NETWORK);
	assert_string_equal(err.text,
	    "tenant a has no network that it comes from");
	come_from(&peer, "10.2.2.3", "vpce-1");
	assert_string_equal(find(&c), "a");
	come_from(&peer, "10.2.2.3", "vpce-12");
	assert_int_equal(tenants_find(world.tenants, &c, &t, &err),
	    TENANT_NETWORK);
	/* Networks tell two tenants of one listener apart; where both let it
	 * in, it is nobody's. */
	write_tenant("b", "{\"members\": [{\"listener\": \"inside\"}], "
	    "\"networks\": {\"cidrs\": [\"10.2.0.0/16\"]}}");
	load();
	come_from(&peer, "10.2.2.3", "");
	assert_string_equal(find(&c), "b");
	come_from(&peer, "10.1.2.3", "");
	assert_string_equal(find(&c), "a");
	come_from(&peer, "10.2.2.3", "vpce-1");
	assert_int_equal(tenants_find(world.tenants, &c, &t, &err),
	    TENANT_AMBIGUOUS);
	/* Where it comes from is not asked of everybody. */
	c.peer = NULL;
	assert_int_equal(tenants_find(world.tenants, &c, &t, &err),
	    TENANT_AMBIGUOUS);
}

/* ---- references ---- */

static void *
take_and_drop(void *arg)
{
	for (int i = 0; i < 10000; i++)
		tenant_unref(tenant_ref(arg));
	return NULL;
}

static void
test_refs(void **state)
{
	struct tenant *t;
	pthread_t other;

	(void)state;
	write_tenant("a", "{}");
	load();
	t = tenant_ref(get("a"));
	tenants_unref(tenants_ref(world.tenants));
	assert_int_equal(pthread_create(&other, NULL, take_and_drop, t), 0);
	take_and_drop(t);
	tenants_unref(world.tenants);
	world.tenants = NULL;
	assert_int_equal(pthread_join(other, NULL), 0);
	/* It outlives those it was loaded with. */
	assert_string_equal(t->id, "a");
	assert_true(slice_is(names_prefix(t->names), "a."));
	assert_int_equal(atomic_load(&t->refs), 1);
	tenant_unref(t);
	tenant_unref(NULL);
	tenants_unref(NULL);
	assert_null(tenants_ref(NULL));
}

static void
test_ids(void **state)
{
	(void)state;
	assert_true(tenant_id_valid(SLICE_LIT("a-0")));
	assert_true(tenant_id_valid(SLICE_LIT("0-")));
	assert_false(tenant_id_valid(SLICE_LIT("")));
	assert_false(tenant_id_valid(SLICE_LIT("a.b")));
	assert_false(tenant_id_valid(SLICE_LIT("a/b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(test_none), T(test_defaults), T(test_all_members),
		T(test_faults), T(test_adopts_what_is_anothers),
		T(test_faults), T(test_bad_names), T(test_same_cluster),
		T(test_broken_policy), T(test_no_folder), T(test_no_file),
		T(test_samples), T(test_by_principal), T(test_by_credential),
		T(test_by_place), T(test_and_or), T(test_overlap),
		T(test_networks), T(test_refs), T(test_ids),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
