// SPDX-License-Identifier: GPL-2.0
/*
 * One system call in which faults may happen, and none in those of the interpreter around it: for
 * kmqtt_faults.py, as a shared library.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * @marked:	make-it-fail of this thread (/proc/thread-self), open
 * @late:	no longer being marked, which copies too, is what failed first
 *
 * Return: of the call, or a negated errno
 */
long kmqtt_call(int marked, bool *late, long number, long a, long b, long c)
{
	long ret;

	if (write(marked, "1", 1) != 1)
		return -errno;
	ret = syscall(number, a, b, c);
	if (ret < 0)
		ret = -errno;
	*late = false;
	while (write(marked, "0", 1) != 1)
		*late = true;
	return ret;
}
