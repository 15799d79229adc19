# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, chapter 4 up to 4.6: state, quality of service, order."""

import pytest

from kmqtt_packet import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, packet, publish_packet


@pytest.fixture
def client(broker):
    """A client of MQTT 3.1.1 that is connected."""
    return broker.connect(version=4)


@pytest.fixture
def other(broker):
    """Another one."""
    return broker.connect(version=4)


def test_mqtt311_4_1_0_1_all_of_the_session_is_stored(broker, ident, topic, other):
    """Subscriptions, what was sent and is not acknowledged, what waits, QoS 2 from the client."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe((f"{topic}/a", 1), (f"{topic}/b", 2))
    one.publish(f"{topic}/in", b"", qos=2, packet_id=100)
    one.acked(PUBREC, 100)
    other.deliver(f"{topic}/a", b"sent")
    other.deliver(f"{topic}/b", b"received", qos=2)
    first = [one.published() for _ in range(2)]
    one.ack(PUBREC, first[1].packet_id)
    one.acked(PUBREL, first[1].packet_id)
    one.leave()
    other.deliver(f"{topic}/b", b"waits", qos=2)
    for _ in range(2):      # nothing of it is used up by coming back
        one = broker.connect(ident, version=4, clean=False)
        assert one.connack.present
        got = [one.packet() for _ in range(3)]
        assert [p.type for p in got] == [PUBLISH, PUBREL, PUBLISH]
        assert [one.parse_publish(got[i]).payload for i in (0, 2)] == [b"sent", b"waits"]
        assert got[1].body == first[1].packet_id.to_bytes(2, "big")
        one.publish(f"{topic}/in", b"", qos=2, packet_id=100, dup=True)
        one.acked(PUBREC, 100)
        one.close()
    one = broker.connect(ident, version=4, clean=False)
    got = [one.packet() for _ in range(3)]
    one.ack(PUBACK, first[0].packet_id)
    one.ack(PUBCOMP, first[1].packet_id)
    one.answer(one.parse_publish(got[2]))
    one.ack(PUBREL, 100)
    one.acked(PUBCOMP, 100)
    other.deliver(f"{topic}/a", b"still subscribed")
    assert [m.payload for m in one.fence()] == [b"still subscribed"]


@pytest.mark.parametrize("clean", [False, True])
def test_mqtt311_4_1_0_2_session_lasts_as_long_as_the_connection(
        broker, ident, topic, other, clean):
    one = broker.connect(ident, version=4, clean=clean)
    one.subscribe(topic, qos=2)
    for i in range(10):
        broker.connect(version=4, clean=True).disconnect()
        other.deliver(topic, b"%d" % i, qos=i % 3)
        assert one.receive()[1:3] == (b"%d" % i, i % 3)


def test_mqtt311_4_3_1_1_qos_0_is_sent_once(broker, ident, topic, other):
    """With DUP 0; it does not come again."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    other.publish(topic, b"0")
    got = one.published()
    assert (got.payload, got.qos, got.dup) == (b"0", 0, False)
    one.close()
    one = broker.connect(ident, version=4, clean=False)
    assert one.fence() == []


def test_mqtt311_4_3_2_1_qos_1_sender(broker, ident, topic, other):
    """Unused identifiers, DUP 0; unacknowledged until PUBACK."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=1)
    for i in range(4):
        other.deliver(topic, b"%d" % i)
    first = [one.published() for _ in range(4)]
    assert all(m.qos == 1 and not m.dup for m in first)
    assert len({m.packet_id for m in first}) == 4
    for i in (2, 0):
        one.ack(PUBACK, first[i].packet_id)
    one.ping()
    one.close()
    one = broker.connect(ident, version=4, clean=False)
    assert [(m.payload, m.packet_id, m.dup) for m in one.receive_all(2)] == [
        (b"1", first[1].packet_id, True), (b"3", first[3].packet_id, True)]
    one.leave()
    one = broker.connect(ident, version=4, clean=False)
    assert one.fence() == []


def test_mqtt311_4_3_2_2_qos_1_receiver(client, other, topic):
    """After PUBACK the same identifier is a new message, whatever DUP says."""
    client.subscribe(topic, qos=1)
    for i, dup in enumerate((False, True, False)):
        other.publish(topic, b"%d" % i, qos=1, packet_id=5, dup=dup)
        other.acked(PUBACK, 5)
    assert [m.payload for m in client.fence()] == [b"0", b"1", b"2"]


def test_mqtt311_4_3_3_1_qos_2_sender(broker, ident, topic, other):
    """Unacknowledged until PUBREC, then PUBREL until PUBCOMP; the PUBLISH never after that."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    for i in range(4):
        other.deliver(topic, b"%d" % i, qos=2)
    first = [one.published() for _ in range(4)]
    ids = [m.packet_id for m in first]
    assert all(m.qos == 2 and not m.dup for m in first)
    assert len(set(ids)) == 4
    for i in (1, 2, 3):
        one.ack(PUBREC, ids[i])
        one.acked(PUBREL, ids[i])
    one.ack(PUBCOMP, ids[3])
    one.ping()
    for _ in range(2):
        one.close()
        one = broker.connect(ident, version=4, clean=False)
        again = one.published()
        assert (again.payload, again.packet_id, again.dup) == (b"0", ids[0], True)
        one.acked(PUBREL, ids[1])
        one.acked(PUBREL, ids[2])
    one.ack(PUBREC, ids[0])
    one.acked(PUBREL, ids[0])
    for i in (0, 1, 2):
        one.ack(PUBCOMP, ids[i])
    one.ping()
    one.close()
    one = broker.connect(ident, version=4, clean=False)
    assert one.fence() == []


def test_mqtt311_4_3_3_2_qos_2_receiver(broker, ident, client, topic):
    """PUBREC for the same one until PUBREL, once to all who subscribed; then a new message.

    Mosquitto closes the connection when one comes for the third time.
    """
    client.subscribe(topic, qos=2)
    one = broker.connect(ident, version=4, clean=False)
    for dup in (False, True, True):
        one.publish(topic, b"1", qos=2, packet_id=5, dup=dup)
        one.acked(PUBREC, 5)
    one.close()
    one = broker.connect(ident, version=4, clean=False)
    one.publish(topic, b"1", qos=2, packet_id=5, dup=True)
    one.acked(PUBREC, 5)
    one.ack(PUBREL, 5)
    one.acked(PUBCOMP, 5)
    one.ack(PUBREL, 5)      # again: it is acknowledged again
    one.acked(PUBCOMP, 5)
    one.publish(topic, b"2", qos=2, packet_id=5, dup=True)
    one.acked(PUBREC, 5)
    one.ack(PUBREL, 5)
    one.acked(PUBCOMP, 5)
    assert [m.payload for m in client.fence()] == [b"1", b"2"]


def test_mqtt311_4_4_0_1_all_that_is_unacknowledged_comes_again(broker, ident, topic, other):
    """With its identifier; nothing of it comes while the connection lives."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    for i in range(8):
        other.deliver(topic, b"%d" % i, qos=1 + i % 2)
    first = [one.published() for _ in range(8)]
    for i in (3, 5):
        one.ack(PUBREC, first[i].packet_id)
        one.acked(PUBREL, first[i].packet_id)
    one.nothing()
    for _ in range(3):
        one.close()
        one = broker.connect(ident, version=4, clean=False)
        again = {}
        for _ in range(8):
            got = one.packet()
            if got.type == PUBREL:
                again[int.from_bytes(got.body, "big")] = PUBREL
            else:
                message = one.parse_publish(got)
                assert message.dup
                again[message.packet_id] = message.payload
        assert again == {m.packet_id: PUBREL if i in (3, 5) else m.payload
                         for i, m in enumerate(first)}


def test_mqtt311_4_5_0_1_message_is_added_to_every_session_that_matches(
        broker, ident, topic, other):
    """Connected or not, whatever filter it matches by."""
    filters = [topic, f"{topic}/#", f"+/{topic.split('/')[1]}", f"{topic.split('/')[0]}/+/#"]
    sessions = []
    for i, filter_ in enumerate(filters * 2):
        one = broker.connect(f"{ident}n{i}", version=4, clean=False)
        one.subscribe(filter_, qos=2)
        sessions.append(one)
    for one in sessions[:4]:
        one.leave()
    other.deliver(topic, b"x", qos=2)
    for i, one in enumerate(sessions):
        if i < 4:
            one = broker.connect(f"{ident}n{i}", version=4, clean=False)
        assert [(m.topic, m.payload, m.qos) for m in one.fence()] == [(topic, b"x", 2)]


def test_mqtt311_4_5_0_2_whatever_is_not_wanted_is_acknowledged(client, topic):
    """Nobody has subscribed to it."""
    for qos in (1, 2):
        assert client.deliver(f"{topic}/nobody", b"", qos=qos) == 0


def test_mqtt311_4_6_0_1_sent_again_in_order(broker, ident, topic, other):
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    for i in range(16):
        other.deliver(topic, b"%d" % i, qos=1 + i // 3 % 2)
    first = [one.published().payload for _ in range(16)]
    assert first == [b"%d" % i for i in range(16)]
    for _ in range(2):
        one.close()
        one = broker.connect(ident, version=4, clean=False)
        assert [one.published().payload for _ in range(16)] == first


@pytest.mark.parametrize("kind, qos", [
    pytest.param(PUBACK, 1, id="MQTT-4.6.0-2"), pytest.param(PUBREC, 2, id="MQTT-4.6.0-3")])
def test_messages_are_acknowledged_in_order(client, topic, kind, qos):
    """The server is a receiver as well."""
    ids = [i * 37 % 100 + 1 for i in range(20)]
    client.send(b"".join(publish_packet(topic, b"", qos=qos, packet_id=i, version=4)
                         for i in ids))
    assert [client.acked(kind).packet_id for _ in ids] == ids


def test_mqtt311_4_6_0_4_pubrel_in_the_order_of_pubrec(client, other, topic):
    client.subscribe(topic, qos=2)
    for i in range(16):
        other.deliver(topic, b"%d" % i, qos=2)
    ids = [client.published().packet_id for _ in range(16)]
    ids = [ids[i * 5 % 16] for i in range(16)]
    client.send(b"".join(packet(PUBREC, i.to_bytes(2, "big")) for i in ids))
    assert [client.acked(PUBREL).packet_id for _ in ids] == ids


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("subscribed", [0, 1, 2])
def test_mqtt311_4_6_0_5_4_6_0_6_every_topic_is_ordered(
        broker, client, other, topic, qos, subscribed):
    """Per topic and publisher, to each subscriber, more than the window holds.

    Mosquitto acknowledges more than 20 of QoS 2 at a time, and loses the rest.
    """
    client.subscribe(f"{topic}/#", qos=subscribed)
    publishers = [other, broker.connect(version=4)]
    for i in range(50):
        for who, one in enumerate(publishers):
            one.publish(f"{topic}/{i % 2}", b"%d %d" % (who, i), qos=qos, packet_id=i + 1)
    for one in publishers:
        for i in range(50 if qos else 0):
            one.acked(PUBREC if qos == 2 else PUBACK, i + 1)
        for i in range(50 if qos == 2 else 0):
            one.ack(PUBREL, i + 1)
            one.acked(PUBCOMP, i + 1)
        one.ping()
    got = {}
    for message in client.fence():
        who, number = message.payload.split()
        got.setdefault((int(who), message.topic), []).append(int(number))
    assert got == {(who, f"{topic}/{i}"): list(range(i, 50, 2))
                   for who in range(2) for i in range(2)}
