/* SPDX-License-Identifier: GPL-2.0 */
/* kmqtt pub, sub and rr, as the rest of the command sees them. */
#ifndef KMQTT_CLI_PUBSUB_H
#define KMQTT_CLI_PUBSUB_H

/**
 * kmqtt_pubsub() - run kmqtt pub, kmqtt sub or kmqtt rr
 * @word: "pub", "sub" or "rr", or kmqtt_pub, kmqtt_sub, kmqtt_rr with or
 *	without a path before it
 * @argc: count of @argv
 * @argv: the options, behind argv[0], which does not count
 *
 * Return: the exit status, or -1 if @word is none of these.
 */
int kmqtt_pubsub(const char *word, int argc, char **argv);

#endif
