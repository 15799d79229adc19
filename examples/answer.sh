#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Answer requests from a shell: answer.sh host/ask; then: kmqtt_rr -t host/ask -e me -m uptime
set -eu
kmqtt_sub -t "$1" -q 1 -F '%R %p' | while read -r topic what; do
	case $what in
	date | uname | uptime) answer=$($what) ;;
	*) answer="I do not know about $what" ;;
	esac
	[ -z "$topic" ] || kmqtt_pub -t "$topic" -q 1 -m "$answer"
done
