# SPDX-License-Identifier: GPL-2.0
"""The program that does enhanced authentication (MQTT 5.0, 4.12): a socket of netlink."""

import errno
import threading

from kmqtt_nl import SPEC_KMQTT, Netlink

STEPS = SPEC_KMQTT.values["auth-step"]
VERDICTS = SPEC_KMQTT.values["auth-verdict"]


class Authenticator(Netlink):
    """The socket that answers."""

    def asked(self, step):
        """The next question."""
        got = self.next("auth-request", 60)
        assert got and got["step"] == STEPS[step], got
        return got

    def reply(self, question, verdict, **more):
        self.do("auth-reply", id=question["id"], verdict=VERDICTS[verdict], **more)


class Porter:
    """Lets everybody in, while it is there; @twice: who has answered one more question."""

    def __init__(self, broker, twice=False):
        self.twice = twice
        with broker.inside():
            self.socket = Authenticator()
        self.socket.do("auth-register")
        self.over = threading.Event()
        # Of the thread, for who waits for it.
        self.error = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                question = self.socket.next("auth-request", 0.1)
                if question and question["step"] != STEPS["end"]:
                    self.answer(question)
        except OSError as error:
            self.error = error

    def answer(self, question):
        more = self.twice and question["step"] == STEPS["start"]
        try:
            self.socket.reply(question, "continue" if more else "success")
        except OSError as error:
            # the client may have gone meanwhile
            if error.errno != errno.ENOENT:
                raise

    def close(self):
        self.over.set()
        self.thread.join()
        self.socket.close()
        if self.error:
            raise self.error

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()
