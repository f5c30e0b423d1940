/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulate/simulate.h"

#include <stdbool.h>
#include <string.h>

#include "gateway/base/log.h"

int
main(int argc, char **argv)
{
	static struct trace trace;
	static struct trace_large large;
	const char *path = NULL;
	bool small = false;
	FILE *to;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--small") == 0)
			small = true;
		else
			path = argv[i];
	log_setup(LOG_ERROR, LOG_TEXT);
	simulate_small(&trace);
	if (!small)
		simulate_large(&large, 1000, 10000);
	if (path == NULL)
		return 0;
	to = fopen(path, "w");
	if (to == NULL) {
		perror(path);
		return 1;
	}
	simulate_plot(to, &trace, &large);
	return fclose(to) == 0 ? 0 : 1;
}
