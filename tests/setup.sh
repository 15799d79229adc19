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
	clang libclang-rt-dev gcc-multilib sparse perl git python3 python3-pytest python3-pytest-timeout
	python3-yaml python3-jsonschema
	# to run
	qemu-system-x86 busybox-static iproute2 iptables mosquitto mosquitto-clients
	libmosquitto-dev openssl procps strace
)

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
trap 'rm -f "$log"' EXIT
# A broker that the package starts would hold the port that a test's own broker wants.
policy=/usr/sbin/policy-rc.d
if ! {
	"${root[@]}" apt-get update &&
	if [ -e "$policy" ] || [ -n "$(command -v mosquitto)" ]; then :; else
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy"
		"${root[@]}" chmod +x "$policy"
		touch "$log.policy"
	fi &&
	"${root[@]}" apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		"${missing[@]}"
} >"$log" 2>&1; then
	cat "$log" >&2
	status=1
else
	status=0
fi
if [ -e "$log.policy" ]; then
	"${root[@]}" rm -f "$policy" "$log.policy"
fi
exit $status
