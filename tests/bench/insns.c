// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's TCG: how many instructions the guest has executed where, between two
 * marks that a program in the guest sets (mark_begin() in userspace/cli/bench_clock.c).
 *
 *   -plugin insns.so,out=FILE
 *
 * At each end mark it writes to FILE: "mark N", and then for each piece of code that was executed
 * its address, its length in instructions and how often.
 */
#include <inttypes.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of QEMU's qemu-plugin.h, which Debian does not install: version 1 of its interface. */
#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 };
enum { CB_NO_REGS };
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
						  void (*fn)(uint64_t id,
							     struct qemu_plugin_tb *tb));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
						     void *ptr, uint64_t add);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						   void (*fn)(unsigned int cpu, void *data),
						   int flags, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
							size_t at);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

/* A piece of code: what begins at this address and has this many instructions. */
struct piece {
	uint64_t address;
	uint64_t insns;
	uint64_t runs;
};

static void *pieces;	/* tsearch() */
static FILE *out;
static int marks;

static int compare(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->insns < y->insns ? -1 : x->insns > y->insns;
}

static bool last(VISIT which)
{
	return which == postorder || which == leaf;
}

static void reset(const void *node, VISIT which, int depth)
{
	(void)depth;
	if (last(which))
		(*(struct piece *const *)node)->runs = 0;
}

static void print(const void *node, VISIT which, int depth)
{
	const struct piece *piece = *(struct piece *const *)node;

	(void)depth;
	if (last(which) && piece->runs)
		fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", piece->address,
			piece->insns, piece->runs);
}

static void begin(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	twalk(pieces, reset);
}

static void end(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	fprintf(out, "mark %d\n", ++marks);
	twalk(pieces, print);
	fflush(out);
}

/* xchg %bx,%bx begins, xchg %cx,%cx ends; no compiler makes them. */
static void look_for_marks(struct qemu_plugin_tb *tb, size_t n)
{
	static const unsigned char b[] = { 0x66, 0x87, 0xdb }, e[] = { 0x66, 0x87, 0xc9 };
	size_t i;

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) != sizeof(b))
			continue;
		if (!memcmp(qemu_plugin_insn_data(insn), b, sizeof(b)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, CB_NO_REGS, NULL);
		else if (!memcmp(qemu_plugin_insn_data(insn), e, sizeof(e)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, end, CB_NO_REGS, NULL);
	}
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct piece is = { qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb), 0 };
	struct piece **found = tfind(&is, &pieces, compare), *piece;

	(void)id;
	if (!found) {
		piece = malloc(sizeof(*piece));
		if (!piece)
			abort();
		*piece = is;
		found = tsearch(piece, &pieces, compare);
	}
	piece = *found;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &piece->runs, 1);
	if (is.address < 1ull << 63)
		look_for_marks(tb, is.insns);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "insns: out= is missing, or cannot be written\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
