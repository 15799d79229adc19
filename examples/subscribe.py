#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print what is published below a topic, with nothing but Python: subscribe.py 'sensors/#'"""

import ctypes
import fcntl
import os
import struct
import sys

OTHER = os.uname().machine.startswith(("alpha", "mips", "parisc", "ppc", "sparc"))
SUBSCRIBE = 0x8020B702 if OTHER else 0x4020B702  # KMQTT_IOC_SUBSCRIBE
HEAD = struct.Struct("=IHHHBBIIIIIQQ")  # struct kmqtt_record

topic_filter = sys.argv[1].encode()
text = ctypes.create_string_buffer(topic_filter)
with open("/dev/kmqtt", "r+b", buffering=0) as device:
    # struct kmqtt_subscription
    fcntl.ioctl(device, SUBSCRIBE, struct.pack("=IIQIIBB6x", 32, 0, ctypes.addressof(text),
                                               len(topic_filter), 0, 0, 0))
    while True:
        data = device.read(65536)
        while data:
            size, _, _, topic_len, qos, _, props_len, payload_len = HEAD.unpack_from(data)[:8]
            start = HEAD.size + topic_len + 1 + props_len
            topic = data[HEAD.size:HEAD.size + topic_len].decode()
            payload = data[start:start + payload_len].decode(errors="replace")
            print(topic, f"(QoS {qos})", payload, flush=True)
            data = data[size:]
