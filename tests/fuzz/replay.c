/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files, without libFuzzer: says "ok FILE" after each,
 * so that the last one which is missing is the culprit.
 *	replay FILE...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/mem.h"

enum { FILE_MAX = 16 * 1024 * 1024, SECONDS_MAX = 30 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact copy, so that a read behind the end is noticed. */
static uint8_t *
load(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *all = mem_alloc(FILE_MAX), *data;

	if (f == NULL) {
		perror(path);
		exit(2);
	}
	*size = fread(all, 1, FILE_MAX, f);
	fclose(f);
	data = mem_realloc(all, *size ? *size : 1);
	return data;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t size;
		uint8_t *data = load(argv[i], &size);

		/* A hang ends the program. */
		alarm(SECONDS_MAX);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
		printf("ok %s\n", argv[i]);
		fflush(stdout);
	}
	return 0;
}
