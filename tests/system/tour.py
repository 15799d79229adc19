# SPDX-License-Identifier: GPL-2.0
"""Types the commands of a document into a shell, and says what they print.

  tour.py FILE    prints the document as it is with the output of now
"""

import re
import subprocess
import sys
import tempfile

from pubsub import ENV, TOP

BLOCK = re.compile(r"^```console\n(.*?)^```\n", re.M | re.S)
SECONDS = 400
END = "--- end of the step ---"
# After a command in the background, and before its end: until all of its processes have waited for
# something for a while, in read(), poll(), wait4() or one of their kin.
READY = r"""ready() {
	n=0
	for i in $(seq 200); do
		n=$((n + 1))
		for p in $(pgrep -g "$1"); do
			grep -qE '^(0|7|23|61|232|270|271) ' "/proc/$p/syscall" || n=0
		done
		[ "$n" -lt 4 ] || return
		sleep 0.2
	done
}
"""


def steps(text):
    """The commands of the document, and what stands there of their output: ([command], [line]).

    A command in the background and what follows until "wait" are one step: when it prints what
    is not certain.
    """
    for match in BLOCK.finditer(text):
        commands, printed, background = [], [], False
        for line in match[1].splitlines():
            if not line.startswith("# "):
                printed.append(line)
                continue
            if commands and not background:
                yield commands, printed
                commands, printed = [], []
            commands.append(line[2:])
            background = line.endswith("&") or (background and "wait" not in line)
        yield commands, printed


def run(text):
    """What each step prints, in a network namespace of its own: its switch is empty."""
    script = "set -m; ip link set lo up\n" + READY
    for commands, _ in steps(text):
        for command in commands:
            if command.startswith("kill %1"):
                script += "ready $(jobs -p %1)\n"
            script += f"{command}\n" + ("ready $!\n" if command.endswith("&") else "")
        script += f"echo '{END}'\n"
    env = dict(ENV, PATH=f"{TOP}/examples:{ENV['PATH']}:/usr/sbin")
    with tempfile.TemporaryFile("w+") as file:
        # A file, since a daemon may keep it open for longer.
        with subprocess.Popen(["unshare", "-n", "bash", "-c", script], stdout=file, cwd=TOP,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env=env, start_new_session=True) as shell:
            try:
                shell.wait(SECONDS)
            except subprocess.TimeoutExpired:
                shell.kill()
        file.seek(0)
        out = file.read()
    # What the shell says of its jobs.
    out = re.sub(r"^(\S*bash: line \d+: .*|\[\d+\].*)\n", "", out, flags=re.M)
    return [part.splitlines() for part in out.split(END + "\n")[:-1]]


def written(text):
    """The document with the output of now."""
    printed = iter(run(text))

    def block(match):
        lines = []
        for commands, _ in steps(match[0]):
            lines += [f"# {command}" for command in commands] + next(printed)
        return "```console\n" + "\n".join(lines) + "\n```\n"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as document:
        print(written(document.read()), end="")
