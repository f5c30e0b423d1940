/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/weirctl_http.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/weirctl_auth.h"

/* A connected socket, or -1. */
static int
dial(const char *address, struct error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	struct timeval wait = { .tv_sec = HTTP_TIMEOUT_S };
	char host[256], service[8];
	int port, r, fd = -1;

	if (!address_split(address, host, sizeof(host), &port, err))
		return -1;
	snprintf(service, sizeof(service), "%d", port);
	r = getaddrinfo(host, service, &hints, &found);
	if (r != 0) {
		error_set(err, "%s: %s", address, gai_strerror(r));
		return -1;
	}
	for (struct addrinfo *a = found; a != NULL; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			break;
		error_set(err, "cannot connect to %s: %s. Is weir running, "
		    "and is this its admin.address (or --admin)?", address,
		    strerror(errno));
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

static bool
send_all(int fd, const char *text, struct error *err)
{
	size_t len = strlen(text);
	ssize_t n;

	for (; len > 0; text += n, len -= (size_t)n) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return error_set(err, "cannot send the request: %s",
			    strerror(errno));
	}
	return true;
}

/* Everything until the other side closes; NULL with an error. */
static char *
receive_all(int fd, struct error *err)
{
	size_t len = 0, size = 64 * 1024;
	char *text = mem_alloc(size);
	ssize_t n;

	while ((n = recv(fd, text + len, size - 1 - len, 0)) > 0) {
		len += (size_t)n;
		if (len > HTTP_REPLY_MAX) {
			error_set(err, "the reply is too long");
			free(text);
			return NULL;
		}
		if (size - len < 4096)
			text = mem_realloc(text, size *= 2);
	}
	if (n < 0) {
		error_set(err, "no reply within %d s: %s", HTTP_TIMEOUT_S,
		    strerror(errno));
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

/* Takes the whole reply apart; frees it. */
static bool
parse_reply(char *whole, struct http_reply *to, struct error *err)
{
	const char *body = strstr(whole, "\r\n\r\n");
	char *end;
	bool ok = false;

	if (strncmp(whole, "HTTP/1.", 7) == 0 && strlen(whole) > 12 &&
	    body != NULL) {
		to->code = (int)strtol(whole + 9, &end, 10);
		to->body = mem_strdup(body + 4);
		ok = true;
	}
	free(whole);
	return ok || error_set(err, "what answered is not weir's admin "
	    "address");
}

static void
add_escaped(FILE *f, const char *value)
{
	for (const char *p = value; *p != '\0'; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') ||
		    (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		    strchr("-._~", *p) != NULL;

		fprintf(f, plain ? "%c" : "%%%02X", (unsigned char)*p);
	}
}

char *
http_path(const char *path, const struct http_pair *v, size_t n)
{
	char *to = NULL, before = '?';
	size_t size = 0;
	FILE *f = open_memstream(&to, &size);

	if (f == NULL)
		abort();
	fputs(path, f);
	for (size_t i = 0; i < n; i++) {
		if (v[i].value == NULL)
			continue;
		fprintf(f, "%c%s=", before, v[i].name);
		add_escaped(f, v[i].value);
		before = '&';
	}
	if (fclose(f) != 0)
		abort();
	return to;
}

bool
http_exchange(const char *address, const char *method, const char *path,
    const char *token, struct http_reply *to, struct error *err)
{
	char request[HTTP_REQUEST_MAX];
	char *whole = NULL;
	int n = snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\n"
	    "Content-Length: 0\r\n%s%s%s\r\n", method, path,
	    token ? "Authorization: Bearer " : "", token ? token : "",
	    token ? "\r\n" : "");
	int fd = n < (int)sizeof(request) ? dial(address, err) : -1;

	if (n >= (int)sizeof(request))
		error_set(err, "the request is too long");
	if (fd < 0) {
		explicit_bzero(request, sizeof(request));
		return false;
	}
	if (send_all(fd, request, err))
		whole = receive_all(fd, err);
	explicit_bzero(request, sizeof(request));
	close(fd);
	return whole != NULL && parse_reply(whole, to, err);
}

/* The file's line, or NULL with an error; the caller cleanses and frees. */
static char *
read_token(const char *path, struct error *err)
{
	char line[512];
	FILE *f = fopen(path, "re");
	char *token = NULL;

	if (f == NULL || fgets(line, sizeof(line), f) == NULL) {
		error_set(err, "%s cannot be read: %s", path,
		    f == NULL ? strerror(errno) : "it is empty");
	} else {
		line[strcspn(line, "\r\n")] = '\0';
		token = mem_strdup(line);
	}
	if (f != NULL)
		fclose(f);
	explicit_bzero(line, sizeof(line));
	return token;
}

json_t *
http_ask(const char *admin, const char *token_file, const char *method,
    const char *path, int *code)
{
	struct http_reply reply = { 0, NULL };
	struct error err;
	char *token = NULL;
	json_t *v = NULL;

	*code = WEIRCTL_REFUSED;
	if (token_file != NULL &&
	    (token = read_token(token_file, &err)) == NULL) {
		weirctl_refuse(err.text);
		return NULL;
	}
	if (!http_exchange(admin, method, path, token, &reply, &err)) {
		weirctl_refuse(err.text);
		*code = WEIRCTL_NO_REPLY;
	} else if (reply.code == 401) {
		weirctl_refuse("a token is required: give --token-file");
	} else if ((v = json_loads(reply.body, 0, NULL)) == NULL) {
		fprintf(stderr, "weirctl: %s answered %d: %s\n", admin,
		    reply.code, reply.body);
	}
	if (token != NULL)
		explicit_bzero(token, strlen(token));
	free(token);
	free(reply.body);
	return v;
}
