# SPDX-License-Identifier: GPL-2.0-only
# kmqtt: the module, and what of it runs in user space. `make help` lists what there is.

# The kernel to build for: the running one where its build directory is installed, else Debian's
# 6.1, which tests/kernels fetches into a cache.
RUNNING	:= /lib/modules/$(shell uname -r)/build
KDIR	?= $(if $(wildcard $(RUNNING)/Makefile),$(RUNNING),$(shell tests/kernels/kernel headers 6.1))
# Newer headers come with what pahole makes type information from, but without pahole.
NO_BTF	:= $(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)
DESTDIR	?=
PREFIX	?= /usr/local
JOBS	?= $(shell nproc)

all: module user

module:
	@test -n "$(KDIR)" || { echo "no kernel to build for: give KDIR="; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) -j$(JOBS) $(NO_BTF) modules

user:
	$(MAKE) -C userspace -j$(JOBS) BUILD=$(CURDIR)/build

# What a fresh machine needs; root, or nothing to do.
setup:
	tests/setup.sh

load: module
	-modprobe -q tls
	insmod kmqtt.ko

unload:
	rmmod kmqtt

install: all
	$(MAKE) -C $(KDIR) M=$(CURDIR) CONFIG_MODULE_SIG_ALL= \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(MAKE) -C userspace BUILD=$(CURDIR)/build DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install
	install -D -m 644 contrib/60-kmqtt.rules $(DESTDIR)/etc/udev/rules.d/60-kmqtt.rules
	install -D -m 644 contrib/kmqtt.sysusers $(DESTDIR)/usr/lib/sysusers.d/kmqtt.conf
	install -D -m 644 contrib/kmqtt.modules-load $(DESTDIR)/etc/modules-load.d/kmqtt.conf
	$(if $(DESTDIR),,systemd-sysusers kmqtt.conf 2>/dev/null || groupadd -fr kmqtt)
	$(if $(DESTDIR),,depmod -a; ldconfig)

demo:
	tests/demo/run

check:
	tests/check

# The whole suite in kernels that look for mistakes, and in those of PREEMPT_RT: hours.
debug kcsan rt:
	tests/check setup user $@_all

faults:
	tests/check setup user $@

# build/coverage/index.html
coverage:
	tests/check setup user $@

# Made again from uapi/kmqtt.yaml: the netlink policies and the header of user space.
generate:
	tests/generate

bench:
	tests/bench/run $(if $(ICOUNT),--icount) $(BENCH)

profile:
	tests/bench/profile $(if $(TOP),--top $(TOP)) $(LOAD)

fuzz:
	$(MAKE) -C tests/fuzz run

kcov:
	tests/kcov/run $(if $(SEED),--seed $(SEED)) --seconds $(or $(KCOV_SECONDS),600)

# The short form is part of make check.
proofs:
	$(MAKE) -C tests/proofs full

# Long forms of lanes of make check: races for hours, every machine, all of the limits.
soak:
	tests/races/run $(if $(KERNEL),--kernel $(KERNEL)) $(if $(SEED),--seed $(SEED)) \
		--seconds $(or $(SECONDS),$$(($(or $(HOURS),1) * 3600)))

machines:
	for arch in arm64 armhf s390x; do tests/machines/run --long $$arch || exit 1; done

limits:
	tests/limits/run

clean:
	test -z "$(KDIR)" || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	rm -rf build

help:
	@echo 'make            kmqtt.ko for the running kernel (KDIR= for another); build/bin, build/lib'
	@echo 'make module     kmqtt.ko only'
	@echo 'make user       the programs and the library only'
	@echo 'make load       into the running kernel (root); make unload takes it out'
	@echo 'make install    module, programs, library, headers, man pages, udev rule (DESTDIR=, PREFIX=)'
	@echo 'make demo       a broker, clients and local processes, here or in a virtual machine'
	@echo 'make check      all tests; installs the packages they need (root)'
	@echo 'make debug      all system tests in a kernel with KASAN, lockdep, kmemleak and others: hours'
	@echo 'make kcsan      likewise, in one that looks for data races; make rt: in PREEMPT_RT kernels'
	@echo 'make faults     every system call with its first allocation failing, its second, ...'
	@echo 'make coverage   which lines of the module the tests reach: build/coverage/index.html; an hour'
	@echo 'make bench      speed and memory, in a virtual machine (ICOUNT=1: in instructions; BROKER=)'
	@echo 'make profile    where the instructions of a case of the bench go (LOAD=, words of kmqtt bench)'
	@echo 'make fuzz       the parser under libFuzzer (FUZZ_SECONDS=)'
	@echo 'make kcov       random calls and netlink requests, guided by what they reach (KCOV_SECONDS=, SEED=)'
	@echo 'make proofs     all cases of what is finite, and the models of what is concurrent, at length'
	@echo 'make soak       messages are whole while all is disturbed (HOURS= or SECONDS=, KERNEL=, SEED=)'
	@echo 'make machines   the module and its tests on arm64, 32-bit arm and s390x, in QEMU'
	@echo 'make limits     10,000 clients, 1,000,000 subscriptions and more at once, in QEMU'
	@echo 'make generate   what is made from uapi/kmqtt.yaml'
	@echo 'make setup      only the packages that make check and make demo need'
	@echo 'make clean      all that was built (kernels stay in $${KMQTT_CACHE:-~/.cache/kmqtt})'

.PHONY: all module user setup load unload install demo check generate bench profile fuzz \
	proofs debug kcov kcsan rt faults soak coverage machines limits clean help
