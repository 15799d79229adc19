#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The packages that building, testing and showing kmqtt need, on Debian 12 or 13. Installs what
# is missing; when nothing is, it needs neither root nor a network.
set -euo pipefail

packages=(
	# to build
	build-essential bc bison flex kmod cpio xz-utils zstd rsync libelf-dev libssl-dev
	libmnl-dev liburing-dev libcjson-dev pkg-config
	# to check
	clang libclang-rt-dev gcc-multilib sparse perl git lcov man-db spin
	python3 python3-pytest python3-pytest-timeout python3-yaml python3-jsonschema
	# to run
	qemu-system-x86 busybox-static iproute2 iptables mosquitto mosquitto-clients
	libmosquitto-dev openssl procps strace gnuplot-nox libdbus-1-dev dbus-daemon
	# to meet others: clients, a broker, a dissector
	dpkg-dev libpaho-mqtt-dev python3-paho-mqtt python3-psutil rabbitmq-server tshark
	# for other machines: what the compilers of tests/machines/fetch call and link with, emulators
	qemu-system-arm qemu-user
	binutils-aarch64-linux-gnu cpp-aarch64-linux-gnu libc6-dev-arm64-cross libgcc-s1-arm64-cross
	binutils-arm-linux-gnueabihf cpp-arm-linux-gnueabihf libc6-dev-armhf-cross libgcc-s1-armhf-cross
	binutils-s390x-linux-gnu cpp-s390x-linux-gnu libc6-dev-s390x-cross libgcc-s1-s390x-cross
)
# Node.js, in whatever package it is; Debian's npm depends on its own.
[ -n "$(command -v node)" ] || packages+=(nodejs)
[ -n "$(command -v npm)" ] || packages+=(npm)
# A package of its own, or one among others.
[ -n "$(command -v qemu-system-s390x)" ] || packages+=(qemu-system-s390x)

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || true
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing ${missing[*]}" >&2
root=()
[ "$(id -u)" = 0 ] || root=(sudo)
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# A service that a package starts, as a broker, would hold the port that a test's own one wants, and
# nobody has asked for it. A policy that is there is somebody's and stays.
policy=/usr/sbin/policy-rc.d
[ ! -e "$policy" ] || policy=
tidy()
{
	rm -f "$log"
	[ -z "$policy" ] || "${root[@]}" rm -f "$policy"
}
trap tidy EXIT
no_services()
{
	[ -z "$policy" ] && return
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy"
	"${root[@]}" chmod 755 "$policy"
}
if ! {
	"${root[@]}" apt-get update && no_services &&
	"${root[@]}" apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		"${missing[@]}"
} >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
