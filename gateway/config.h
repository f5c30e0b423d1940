/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: read whole from one JSON file (or from the arguments of
 * `weir run`), checked, then immutable. The rows are in options.def; members
 * here have the names they have in JSON.
 *
 * Ownership: counted (atomically); strings live as long as it does. Secrets
 * come from files or the environment, never from the file itself, and are
 * cleansed when it is freed.
 * Thread: made on the control thread, read by any with a reference.
 */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gateway/base/cidr.h"
#include "gateway/base/option.h"

struct limits;

enum { CONFIG_FILE_MAX = 4 * 1024 * 1024, CONFIG_AUTO = -1 };

enum config_security {
	CONFIG_PLAINTEXT, CONFIG_TLS, CONFIG_SASL_PLAINTEXT, CONFIG_SASL_TLS,
};

/* In the order of enum upstream_mechanism. */
enum config_mechanism {
	CONFIG_MECHANISM_NONE, CONFIG_MECHANISM_PLAIN,
	CONFIG_MECHANISM_SCRAM_SHA_256, CONFIG_MECHANISM_SCRAM_SHA_512,
	CONFIG_MECHANISM_OAUTHBEARER, CONFIG_MECHANISM_AWS_MSK_IAM,
};

/* In the order of enum tls_verify. */
enum config_client_certificate {
	CONFIG_CLIENT_CERT_NONE, CONFIG_CLIENT_CERT_OPTIONAL,
	CONFIG_CLIENT_CERT_REQUIRED,
};

enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };

enum config_login {
	CONFIG_AUTH_NONE, CONFIG_AUTH_SASL, CONFIG_AUTH_CERTIFICATE,
};

struct config_sasl {
	enum config_mechanism	 mechanism;
	char			*username, *password;	/* NULL: none */
	char			*token_url, *token_ca_file, *scope, *audience;
	char			*region;
};

struct config_cluster_tls {
	char			*ca_file, *certificate_file, *key_file;
	char			*key_password_file;
	bool			 verify_name;
};

struct config_cluster {
	char			*bootstrap;	/* "host:port,host:port" */
	enum config_security	 security;
	struct config_sasl	 sasl;
	struct config_cluster_tls tls;
	uint32_t		 connect_ms, idle_ms, idle_max;
	uint32_t		 backoff_min_ms, backoff_max_ms;
	uint64_t		 frame_max;
	bool			 auto_create_topics;
};

struct config_listener_tls {
	char			*certificate_file;	/* NULL: plain */
	char			*key_file;
	char			*key_password_file, *client_ca_file;
	char			*client_crl_file;
	enum config_client_certificate client_certificate;
	enum config_tls_version	 min_version;
	char			*ciphers;
};

struct config_listener {
	char			*name;
	char			*address;	/* for address_parse */
	char			*advertised;	/* as written, or NULL */
	struct config_listener_tls tls;
	bool			 proxy_protocol;
	struct cidr_list	 proxy_sources;
	enum config_login	 auth;
	struct text_list	 mechanisms;
	/* Made from the above. */
	char			*advertised_host;	/* with {id} when ... */
	int			 advertised_port;	/* 0: the bound one */
	bool			 advertised_template;	/* ... this is set */
};

struct config_certificate_rule {
	unsigned int		 from;
	char			*pattern, *name, *group;
};

struct config_jwt {
	char			*jwks_file, *jwks_url, *jwks_ca_file;
	uint32_t		 jwks_refresh_ms;
	char			*issuer;
	struct text_list	 audiences, algorithms;
	char			*principal_claim, *groups_claim, *tenant_claim;
	char			*type;
	uint32_t		 skew_s;
};

struct config_audit {
	char			*file, *topic;	/* NULL: none */
	bool			 logins;
};

struct config_auth {
	char			*partition, *account;
	struct text_list	 regions;
	char			*cluster_name, *cluster_uuid;
	struct text_list	 hosts;
	char			*keys_file, *master_key;
	char			*identities_file, *policies_dir;
	uint32_t		 skew_s, expires_max_s, session_max_ms;
	bool			 plain_without_tls;
	struct config_jwt	 jwt;
	struct {
		struct config_certificate_rule *v;
		uint32_t	 n;
	}			 certificates;
	struct config_audit	 audit;
};

struct config_virtual_client {
	char			*name, *version_marker, *min_version;
	int32_t			 ids;		/* or CONFIG_AUTO */
	int16_t			 version[3];	/* min_version */
};

struct config_virtual {
	int32_t			 known, others;	/* or CONFIG_AUTO */
	struct {
		struct config_virtual_client *v;
		uint32_t	 n;
	}			 clients;
};

struct config_admin {
	char			*address;	/* NULL: no admin listener */
	bool			 remote;
	char			*token;		/* NULL: none */
};

struct config_limits {
	uint64_t		 frame_max_login, frame_max;
	uint32_t		 in_flight_max;
	uint64_t		 out_high;
	uint64_t		 buffered_max;	/* not 0 once loaded */
	uint32_t		 connections_max; /* not 0 once loaded */
	uint32_t		 source_connections_max, source_connection_rate;
	uint32_t		 login_requests_max, login_ms;
	uint32_t		 login_failures_max, login_failure_ms;
	uint32_t		 principal_failures_max, principal_delay_ms;
	uint32_t		 setup_ms, frame_ms, stall_ms, idle_ms;
	uint32_t		 handshake_rate;
	uint32_t		 fetch_sessions_max, fetch_partitions_max;
	uint32_t		 fetch_wait_max_ms;
	uint64_t		 fetch_bytes_max;
};

struct config_log {
	unsigned int		 level;		/* enum log_level */
	unsigned int		 format;	/* enum log_format */
	char			*file;		/* NULL: stderr */
};

/* In the order of enum quota_scope, behind "auto". */
enum config_limit_scope {
	CONFIG_LIMIT_AUTO, CONFIG_LIMIT_TENANT, CONFIG_LIMIT_PRINCIPAL,
	CONFIG_LIMIT_CLIENT, CONFIG_LIMIT_PARTITION, CONFIG_LIMIT_NODE,
};

struct config_limit {
	unsigned int		 dimension;	/* enum quota_dimension */
	enum config_limit_scope	 scope;
	char			*principal, *client_id, *topic;	/* NULL: any */
	uint64_t		 value, burst;	/* burst 0: the usual one */
	unsigned int		 mode;		/* enum quota_mode */
	struct percent_list	 warn_percent;
};

struct config_limit_list {
	struct config_limit	*v;
	uint32_t		 n;
};

struct config_quota_profile {
	char			*name;
	struct config_limit_list limits;
	struct limits		*made;		/* of the above */
};

enum config_redis_mode {
	CONFIG_REDIS_SINGLE, CONFIG_REDIS_SENTINEL, CONFIG_REDIS_CLUSTER,
};
enum config_redis_security { CONFIG_REDIS_PLAINTEXT, CONFIG_REDIS_TLS };

struct config_redis_tls {
	char			*ca_file, *certificate_file, *key_file;
	bool			 verify_name;
};

struct config_redis {
	enum config_redis_mode	 mode;
	struct text_list	 addresses;
	char			*master_name, *username, *password;
	char			*sentinel_username, *sentinel_password;
	uint32_t		 database;
	enum config_redis_security security;
	struct config_redis_tls	 tls;
	uint32_t		 connect_ms, timeout_ms;
	char			*key_prefix;	/* not NULL once loaded */
};

enum config_store { CONFIG_STORE_LOCAL, CONFIG_STORE_REDIS };
enum config_store_loss {
	CONFIG_STORE_LOSS_SHARE, CONFIG_STORE_LOSS_OPEN,
	CONFIG_STORE_LOSS_CLOSED,
};

struct config_quota {
	char			*profile;	/* not NULL once loaded */
	struct {
		struct config_quota_profile *v;
		uint32_t	 n;
	}			 profiles;
	struct config_limit_list limits;
	enum config_store	 store;
	struct config_redis	 redis;
	enum config_store_loss	 on_store_loss;
	uint32_t		 throttle_max_ms, hold_max_ms, close_ms;
	uint32_t		 census_ms;
	/* Made from the above (quota_config.h): the node's, and those of
	 * clients without a tenant, never NULL once loaded. */
	struct limits		*made;
};

/* A tenant's file (tenants.h), read by the same means. */
enum config_namespace { CONFIG_NAMESPACE_PREFIXED, CONFIG_NAMESPACE_SHARED };

struct config_tenant_member {
	char			*principal, *access_key, *tenant_claim;
	char			*certificate, *listener, *sni;	/* NULL: any */
};

struct config_tenant_networks {
	struct cidr_list	 cidrs;
	struct text_list	 vpc_endpoints;
};

struct config_tenant_adopted {
	char			*name, *as;	/* as: NULL: the same */
};

struct config_tenant_adopt {
	struct {
		struct config_tenant_adopted *v;
		uint32_t	 n;
	}			 topics, groups, transactional_ids;
};

enum config_topic_when {
	CONFIG_TOPIC_ALWAYS, CONFIG_TOPIC_CREATE, CONFIG_TOPIC_NEVER,
};
enum config_topic_profile { CONFIG_TOPIC_MSK_SERVERLESS, CONFIG_TOPIC_ANY };
enum config_replication {
	CONFIG_REPLICATION_IMPOSED, CONFIG_REPLICATION_DEFAULT,
	CONFIG_REPLICATION_ONLY,
};

struct config_tenant_topic_config {
	char			*name;
	enum config_topic_when	 when;
	uint64_t		 min, max;	/* 0: anything */
	struct text_list	 values;	/* none: any */
};

struct config_tenant_topics {
	enum config_topic_profile profile;
	bool			 streams;
	struct {
		struct config_tenant_topic_config *v;
		uint32_t	 n;
	}			 configs;
	uint32_t		 replication_factor;	/* 0: as asked for */
	enum config_replication	 replication;
	uint32_t		 min_insync_replicas;	/* 0: brokers' */
	uint32_t		 partitions_max;	/* 0: no limit */
	char			*name_pattern;		/* NULL: any */
	bool			 auto_create;
};

struct config_tenant_quota {
	char			*profile;	/* NULL: the configuration's */
	struct config_limit_list limits;
};

struct config_tenant {
	char			*cluster_uuid, *cluster_name, *region;
	char			*account;	/* NULL: what auth says */
	enum config_namespace	 namespace;
	struct {
		struct config_tenant_member *v;
		uint32_t	 n;
	}			 members;
	struct config_tenant_networks networks;
	struct text_list	 policies;
	struct config_tenant_adopt adopt;
	struct config_tenant_topics topics;
	struct config_tenant_quota quota;
	char			*suspended;	/* NULL: it is not */
};

struct config {
	atomic_int		 refs;
	struct config_cluster	 cluster;
	struct {
		struct config_listener *v;
		uint32_t	 n;
	}			 listeners;
	struct config_auth	 auth;
	char			*tenants_dir;	/* NULL: no tenants */
	struct config_quota	 quota;
	struct config_virtual	 virtual_brokers;
	struct config_admin	 admin;
	uint32_t		 workers;	/* not 0 once loaded */
	uint32_t		 drain_ms;
	struct config_limits	 limits;
	struct config_log	 log;
};

/* The file's configuration with one reference; NULL and all its faults. */
struct config	*config_load(const char *path, struct error_list *errs);
/* As config_load, from a JSON text (tests, fuzzing). */
struct config	*config_parse(const char *text, size_t len,
		    struct error_list *errs);

/* What `weir run` takes instead of a file; NULL: not given. */
struct config_cli {
	const char	*bootstrap, *listen, *advertise;
	const char	*admin;		/* NULL: no admin listener */
	const char	*log_level, *log_format;
	int		 workers;	/* 0: not given */
};
struct config	*config_from_cli(const struct config_cli *cli,
		    struct error_list *errs);

struct config	*config_ref(struct config *c);
void		 config_unref(struct config *c);

/* Whether a reload may go from old to new; else the options that need a
 * restart are the faults. */
bool		 config_check_reload(const struct config *old,
		    const struct config *new, struct error_list *errs);
/* The rows of struct config_tenant. */
const struct option_group *config_tenant_group(void);
/* `weir --print-options[=text|man|json|tenant]`; false: no such format. */
bool		 config_print_options(const char *format, FILE *f);
/* True when the text is "127.x.x.x:port", "[::1]:port" or "localhost:port". */
bool		 config_is_loopback(const char *address);

#endif
