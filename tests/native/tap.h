/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests that print TAP: one line per check, the plan at the end. */
#ifndef KMQTT_TESTS_TAP_H
#define KMQTT_TESTS_TAP_H

#include <stdbool.h>

/**
 * ok() - one check
 * @pass: did it hold?
 * @fmt: its name, as for printf
 *
 * Return: @pass
 */
bool ok(bool pass, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * diag() - say more about a check that failed
 * @fmt: one line, as for printf
 */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * done_testing() - print the plan
 *
 * Return: exit status: 0 if every check held and there was one
 */
int done_testing(void);

#endif /* KMQTT_TESTS_TAP_H */
