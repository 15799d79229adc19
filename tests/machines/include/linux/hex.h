/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel has no <linux/hex.h>, which is found first: it is in here. */
#include <linux/kernel.h>
