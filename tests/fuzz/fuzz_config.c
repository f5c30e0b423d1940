/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file: taken whole, or refused with reasons.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/config.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_alloc(size ? size : 1);
	struct error_list errs = { 0 };
	struct config *c;

	if (size > 0)
		memcpy(text, data, size);
	c = config_parse(text, size, &errs);
	assert((c != NULL) == (errs.n == 0));
	if (c != NULL) {
		assert(c->listeners.n > 0 && c->workers > 0);
		assert(config_check_reload(c, c, &errs));
		config_unref(c);
	}
	error_list_free(&errs);
	free(text);
	return 0;
}
