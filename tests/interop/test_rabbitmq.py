# SPDX-License-Identifier: GPL-2.0
"""kmqtt's uplink to RabbitMQ's MQTT plugin.

The file is the last one: RabbitMQ, which conftest.py starts first, takes a minute and more to
begin in an emulated machine.
"""

import socket

import pytest

from kmqtt_client import Client
from kmqtt_packet import PUBACK, PUBLISH
from kmqtt_uplink import BOTH, UP, Uplink, receive


@pytest.mark.parametrize("version", [3, 4])
def test_rabbitmq(rabbit, device, topic, ident, version):
    """Both ways, with and without a bridge's bit; what is sent there is not taken when it returns.

    RabbitMQ has no QoS 2, and 5.0 not before its version 3.13.
    """
    reader, writer = device(), device()
    reader.subscribe(f"{topic}/#", qos=2)
    with socket.create_connection(rabbit, timeout=60) as sock, \
         Uplink(f"r{version}", rabbit, version=version, client_id=ident, try_private=0,
                topics=[(f"{topic}/#", BOTH, 1)]) as up:
        there = Client(sock, 4, exact=False).connect(f"{ident}there")
        assert there.subscribe(f"{topic}/#", qos=1) == [1]
        up.wait(UP, filters=1, active_version=version)
        for qos in 0, 1, 2:
            writer.publish(f"{topic}/out", b"from here %d" % qos, qos=qos)
            got = there.receive()
            assert (got.topic, got.qos) == (f"{topic}/out", min(qos, 1))
            assert got.payload == b"from here %d" % qos
            got = receive(reader, 1)[0]
            assert (got.payload, got.qos) == (b"from here %d" % qos, qos)
        for qos in 0, 1:
            there.publish(f"{topic}/in", b"from there %d" % qos, qos=qos, packet_id=qos)
            got = [there.packet() for _ in range(1 + qos)]
            assert sorted(p.type for p in got) == [PUBLISH, PUBACK][:1 + qos]
            for one in got:
                if one.type == PUBLISH:
                    there.answer(there.parse_publish(one))
            got = receive(reader, 1)[0]
            assert (got.payload, got.qos) == (b"from there %d" % qos, qos)
        up.wait(UP, inflight_messages=0, queued_messages=0)
        assert up.show()["echoes_suppressed"] == 3
        assert not reader.readable()
