# SPDX-License-Identifier: GPL-2.0
"""Many processes and threads on the device, and processes that die at any moment."""

import ctypes
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import HERE
from kmqtt_dev import BLOCK, FOREVER, MANUAL_ACK, Device, parse_all, record


READY = "print('ready', flush=True)\n"


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def spawn():
    """A function that starts Python code that knows the device and writes "ready" when it is."""
    processes = []

    def start(code, *args):
        process = subprocess.Popen([sys.executable, "-c",
                                    "import os, sys, time\nfrom kmqtt_dev import *\n" + code, *args],
                                   cwd=HERE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in processes:
        end(process)


def test_from_process_to_process(device, topic, spawn):
    process = spawn("d = Device().subscribe(sys.argv[1])\n" + READY + "print(d.read()[0].payload)",
                    topic)
    device().publish(topic, "hello")
    assert process.communicate()[0] == b"b'hello'\n"


def test_a_fork_shares_the_file(device, topic):
    one = device().subscribe(topic)
    child = os.fork()
    if not child:
        try:
            one.publish(topic, "from the child")
            one.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    # The child has closed it and is gone; the session is not.
    assert [m.payload for m in one.read()] == [b"from the child"]
    device().publish(topic, "still there")
    assert [m.payload for m in one.read()] == [b"still there"]


def test_a_dup_keeps_the_session(device, topic):
    one = device().subscribe(topic)
    copy = os.dup(one.fd)
    one.close()
    device().publish(topic, "x")
    assert len(parse_all(os.read(copy, 4096))) == 1
    os.close(copy)


def test_threads_on_one_file_lose_and_double_nothing(device, topic):
    one, total, got = device().subscribe(topic), 4000, []

    def read():
        while True:
            messages = parse_all(os.read(one.fd, 700))
            got.extend(m.payload for m in messages)
            if any(m.payload == b"end" for m in messages):
                return

    def write(number):
        writer = Device()
        for i in range(total // 4):
            writer.publish(topic, f"{number}-{i}", qos=0)
            if i % 50 == 0:
                while one.stats().queued_messages > 700:
                    time.sleep(0.001)
        writer.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    for _ in readers:
        while one.stats().queued_messages:
            time.sleep(0.001)
        device().publish(topic, "end")
        time.sleep(0.05)
    for thread in readers:
        thread.join()
    assert one.stats().dropped_messages == 0
    payloads = [p for p in got if p != b"end"]
    assert len(payloads) == total and len(set(payloads)) == total


def test_order_is_kept_from_each_writer(device, topic, spawn):
    one = device(policy=BLOCK, messages=50).subscribe(topic)
    code = ("d = Device()\n" + READY +
            "for i in range(2000): d.publish(sys.argv[1], f'{sys.argv[2]} {i}')")
    writers = [spawn(code, topic, str(n)) for n in range(3)]
    last, count = {}, 0
    while count < 6000:
        for message in one.read(10000):
            writer, number = map(int, message.payload.split())
            assert number == last.get(writer, -1) + 1
            last[writer] = number
            count += 1
    for writer in writers:
        writer.wait()
        writer.stdout.close()


def test_a_file_that_is_closed_while_a_thread_reads(device, topic):
    """As with a pipe: the read goes on with the file that it has."""
    one, got = device().subscribe(topic), []
    thread = threading.Thread(target=lambda: got.extend(parse_all(os.read(one.fd, 4096))))
    thread.start()
    time.sleep(0.1)
    one.close()
    device().publish(topic, "last")
    thread.join()
    assert [m.payload for m in got] == [b"last"]


def signalled(process):
    """SIGUSR1 until it ends: one that comes just before the system call interrupts nothing."""
    while process.poll() is None:
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.1)
    return process.returncode


def test_a_signal_interrupts_a_reader(device, topic, spawn):
    process = spawn("import signal\nsignal.signal(signal.SIGUSR1, lambda *_: os._exit(7))\n"
                    "d = Device().subscribe(sys.argv[1])\n" + READY + "d.read()", topic)
    assert signalled(process) == 7
    process.stdout.close()


def test_a_signal_interrupts_a_blocked_writer(device, topic, spawn):
    device(policy=BLOCK, messages=1).subscribe(topic)
    process = spawn("import signal\nsignal.signal(signal.SIGUSR1, lambda *_: os._exit(7))\n"
                    "d = Device()\nd.publish(sys.argv[1])\n" + READY + "d.publish(sys.argv[1])",
                    topic)
    time.sleep(0.1)
    assert process.poll() is None
    assert signalled(process) == 7
    process.stdout.close()


@pytest.mark.parametrize("what", ["d.read()", "d.publish('b'+sys.argv[1])", "d.readable(10**6)",
                                  "d.ring(); d.readable(10**6)"])
def test_kill_9_of_one_that_waits(device, topic, what, spawn):
    blocker = device(policy=BLOCK, messages=1).subscribe("b" + topic)
    blocker.publish("b" + topic)
    process = spawn("d = Device().subscribe(sys.argv[1])\n" + READY + what, topic)
    time.sleep(0.1)
    assert process.poll() is None
    end(process)
    device().publish(topic)
    assert process.returncode == -signal.SIGKILL


def test_kill_9_at_any_moment_loses_no_promise(device, topic, spawn):
    """A reader with manual acknowledgement is killed again and again: exactly once, in the end."""
    total, seen = 100, []
    device(topic, flags=MANUAL_ACK, expiry=FOREVER).subscribe(topic, qos=2).close()
    writer = device()
    for i in range(total):
        writer.publish(topic, str(i), qos=2)
    code = (f"d = Device(sys.argv[1], flags=MANUAL_ACK, expiry={FOREVER})\n" + READY +
            "while True:\n"
            "    m = d.read(140)[0]\n"
            "    os.write(1, m.payload + b'\\n')\n"
            "    d.ack(m.id)\n"
            "    time.sleep(0.0005)\n")
    rng = random.Random(4)
    while len(set(seen)) < total:
        process = spawn(code, topic)
        time.sleep(rng.random() * 0.1)
        process.kill()
        seen += [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
    # At most one is told twice for each kill: the one that was not acknowledged yet.
    assert set(seen) == set(range(total))
    assert device(topic, flags=MANUAL_ACK).stats().inflight_messages == 0


def test_kill_9_of_writers_and_readers_under_load(device, topic, spawn):
    reader_code = ("d = Device().subscribe(sys.argv[1] + '/#')\n" + READY +
                   "while True: d.read(1000)")
    ring_code = ("d = Device().subscribe(sys.argv[1] + '/#')\nr = d.ring(4096)\n" + READY +
                 "while True:\n    r.take()\n    d.poll(10)")
    writer_code = ("d = Device()\n" + READY +
                   "while True: d.publish(sys.argv[1] + '/x', bytes(100), qos=1)")
    for _ in range(2):
        processes = [spawn(code, topic) for code in (reader_code, ring_code, ring_code, writer_code,
                                                     writer_code)]
        time.sleep(0.2)
        random.Random(5).shuffle(processes)
        for process in processes:
            end(process)
    one = device().subscribe(topic)
    device().publish(topic, "still works")
    assert [m.payload for m in one.read()] == [b"still works"]


def test_subscribing_while_others_publish(device, topic):
    stop, writer, one = [], device(), device()

    def write():
        while not stop:
            writer.publish(topic + "/a/b", "x")

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(300):
        for pattern in ("/a/b", "/+/b", "/#"):
            one.subscribe(topic + pattern)
        one.drain()
        for pattern in ("/a/b", "/+/b", "/#"):
            one.unsubscribe(topic + pattern)
    stop.append(1)
    thread.join()
    one.drain()
    assert not one.readable() and one.stats().subscriptions == 0


def test_takeover_while_others_publish(device, topic):
    stop, writer = [], device()

    def write():
        while not stop:
            writer.publish(topic, "x", qos=1)

    thread = threading.Thread(target=write)
    device(topic, expiry=60).subscribe(topic, qos=1)
    thread.start()
    for turn in range(100):
        one = device(topic, expiry=60)
        assert one.present
        if turn % 3 == 0:
            one.ring(4096)
        elif turn % 3 == 1:
            one.drain()
        if turn % 2:
            one.close()
    stop.append(1)
    thread.join()


@pytest.fixture
def echo(device, topic):
    """Who is asked, who has the answers, and a process that answers at once."""
    there = device().subscribe(topic)
    child = os.fork()
    if not child:
        try:
            while True:
                for message in parse_all(os.read(there.fd, 4096)):
                    os.write(there.fd, record(topic + "/answer", message.payload))
        finally:
            os._exit(0)
    yield device(), device().subscribe(topic + "/answer"), child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_who_waits_for_an_answer_that_comes_at_once_gets_it(echo, topic):
    """Then read() looks for the next one for a moment before it sleeps."""
    asker, answers, _ = echo
    for i in range(5000):
        question = b"%d" % i
        os.write(asker.fd, record(topic, question))
        assert [m.payload for m in parse_all(os.read(answers.fd, 4096))] == [question]
    assert answers.drain() == []


@pytest.mark.parametrize("turn", range(20))
def test_who_is_about_to_sleep_can_be_ended(echo, topic, turn):
    """SIGKILL, at a moment when read() may look or sleep."""
    asker, answers, child = echo
    for _ in range(50 + turn):
        os.write(asker.fd, record(topic, b"question"))
        os.read(answers.fd, 4096)
    os.kill(child, signal.SIGKILL)
    assert os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT).si_status == signal.SIGKILL
    asker.publish(topic, b"nobody is there")


def test_a_network_namespace_has_a_switch_of_its_own(device, topic):
    here = device().subscribe(topic)
    child = os.fork()
    if not child:
        status = 1
        try:
            # CLONE_NEWNET
            assert ctypes.CDLL(None).unshare(0x40000000) == 0
            there = Device().subscribe(topic)
            # What was opened before stays where it was opened.
            here.publish(topic, "from there, to here")
            there.publish(topic, "only there")
            got = [m.payload for m in there.drain()]
            status = 0 if got == [b"only there"] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [m.payload for m in here.drain()] == [b"from there, to here"]


def test_an_open_file_keeps_its_namespace(device, topic):
    """The namespace's last process goes; the file that it passed on still works."""
    import array
    import socket
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        try:
            assert ctypes.CDLL(None).unshare(0x40000000) == 0
            one = Device().subscribe(topic)
            theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                     array.array("i", [one.fd]))])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    _, [(_, _, data)], _, _ = ours.recvmsg(1, 64)
    fd = array.array("i", data)[0]
    os.write(fd, record(topic, "alone"))
    assert [m.payload for m in parse_all(os.read(fd, 4096))] == [b"alone"]
    os.close(fd)
    ours.close()
    theirs.close()


CGROUP = "/sys/fs/cgroup"


def kernel_memory(group):
    with open(f"{group}/memory.stat", encoding="ascii") as stat:
        return dict(line.split() for line in stat)


@pytest.fixture
def cgroup():
    """A memory cgroup with 32 MiB for one child."""
    path = f"{CGROUP}/kmqtt-test-{os.getpid()}"
    with open(f"{CGROUP}/cgroup.subtree_control", "w", encoding="ascii") as control:
        control.write("+memory")
    os.mkdir(path)
    yield path
    for _ in range(200):
        try:
            os.rmdir(path)
            break
        except OSError:
            time.sleep(0.02)


def join(spawn, cgroup, code, *args):
    return spawn(f"open('{cgroup}/cgroup.procs', 'w').write('0')\n" + code, *args)


def test_the_reader_pays_for_its_queue(device, topic, cgroup, spawn):
    process = join(spawn, cgroup, "d = Device(policy=DROP_NEWEST, messages=100000).subscribe(sys.argv[1])\n"
                   + READY + "time.sleep(1000)", topic)
    before = int(kernel_memory(cgroup)["slab"])
    writer = device()
    for _ in range(20000):
        writer.publish(topic, "x")
    after = int(kernel_memory(cgroup)["slab"])
    end(process)
    # An entry of the queue has more than 64 bytes.
    assert after - before > 20000 * 64


def test_the_ring_is_paid_for(cgroup, spawn):
    process = join(spawn, cgroup, "d = Device()\nr = d.ring(8 << 20)\n" + READY + "time.sleep(1000)")
    with open(f"{cgroup}/memory.current", encoding="ascii") as current:
        charged = int(current.read())
    end(process)
    assert charged > 8 << 20


def test_many_open_files(topic):
    """None of them costs much, and all of them work."""
    files = [Device().subscribe(f"{topic}/{i % 7}") for i in range(2000)]
    files[0].publish(f"{topic}/3", "x")
    assert sum(len(f.drain()) for f in files) == len([i for i in range(2000) if i % 7 == 3])
    for one in files:
        one.close()


def test_poll_of_many(device, topic):
    files = [device().subscribe(f"{topic}/{i}") for i in range(50)]
    epoll = select.epoll()
    for one in files:
        epoll.register(one.fd, select.EPOLLIN)
    writer = device()
    for i in (3, 17, 42):
        writer.publish(f"{topic}/{i}")
    assert sorted(fd for fd, _ in epoll.poll(0)) == sorted(files[i].fd for i in (3, 17, 42))
    # Closed while it is watched.
    files[3].close()
    assert sorted(fd for fd, _ in epoll.poll(0)) == sorted(files[i].fd for i in (17, 42))
    epoll.close()
