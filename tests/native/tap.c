// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "tap.h"

static unsigned int n_run, n_failed;

bool ok(bool pass, const char *fmt, ...)
{
	va_list args;

	n_run++;
	if (!pass)
		n_failed++;
	printf("%sok %u - ", pass ? "" : "not ", n_run);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return pass;
}

void diag(const char *fmt, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

int done_testing(void)
{
	printf("1..%u\n", n_run);
	return n_failed || !n_run;
}
