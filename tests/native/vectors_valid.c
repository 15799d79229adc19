// SPDX-License-Identifier: GPL-2.0-only
#include "vectors.h"

const struct vector vectors_valid[] = {
	/* CONNECT: name, level, flags, keep alive, [properties], client id, ... */
	{ "CONNECT 3.1", 3, 0x10, "0006'MQIsdp' 03 02 003c 0001'c'", 0 },
	{ "CONNECT 3.1, bridge", 3, 0x10, "0006'MQIsdp' 83 02 003c 0001'c'", 0 },
	{ "CONNECT 3.1, all", 3, 0x10,
	  "0006'MQIsdp' 03 ee 0000 0001'c' 0001't' 0001'm' 0001'u' 0001'p'", 0 },
	{ "CONNECT 3.1, 30 bytes of client id", 3, 0x10,
	  "0006'MQIsdp' 03 00 003c 001e @30'c'", 0 },
	{ "CONNECT 3.1.1", 4, 0x10, "0004'MQTT' 04 02 003c 0001'c'", 0 },
	{ "CONNECT 3.1.1, bridge", 4, 0x10, "0004'MQTT' 84 00 003c 0001'c'", 0 },
	{ "CONNECT 3.1.1, empty client id", 4, 0x10, "0004'MQTT' 04 02 003c 0000", 0 },
	{ "CONNECT 3.1.1, will of QoS 0", 4, 0x10,
	  "0004'MQTT' 04 06 ffff 0001'c' 0003'a/b' 0000", 0 },
	{ "CONNECT 3.1.1, will of QoS 1, retained", 4, 0x10,
	  "0004'MQTT' 04 2c 0001 0001'c' 0003'a/b' 0002 00ff", 0 },
	{ "CONNECT 3.1.1, user name", 4, 0x10,
	  "0004'MQTT' 04 80 003c 0001'c' 0001'u'", 0 },
	{ "CONNECT 3.1.1, empty user name and password", 4, 0x10,
	  "0004'MQTT' 04 c2 003c 0001'c' 0000 0000", 0 },
	{ "CONNECT 5.0", 5, 0x10, "0004'MQTT' 05 00 003c 00 0000", 0 },
	{ "CONNECT 5.0, password alone", 5, 0x10,
	  "0004'MQTT' 05 42 003c 00 0001'c' 0003 00ff80", 0 },
	{ "CONNECT 5.0, all", 5, 0x10,
	  "0004'MQTT' 05 f6 003c 2a"
	  "  11 00000e10 15 0001'm' 16 0002 00ff 17 00 19 01 21 0014 22 000a"
	  "  26 0001'k' 0001'v' 26 0001'k' 0000 27 00100000 "
	  "0001'c' 1e"
	  "  01 01 02 00000001 03 0001't' 08 0001'r' 09 0001 00 18 00000005 26 0000 0001'w' "
	  "0001't' 0001'm' 0001'u' 0001'p'", 0 },

	/* CONNACK: flags, code, [properties] */
	{ "CONNACK 3.1", 3, 0x20, "00 00", 0 },
	{ "CONNACK 3.1, not authorized", 3, 0x20, "00 05", 0 },
	{ "CONNACK 3.1.1", 4, 0x20, "00 00", 0 },
	{ "CONNACK 3.1.1, session present", 4, 0x20, "01 00", 0 },
	{ "CONNACK 3.1.1, unacceptable version", 4, 0x20, "00 01", 0 },
	{ "CONNACK 3.1.1, identifier rejected", 4, 0x20, "00 02", 0 },
	{ "CONNACK 3.1.1, server unavailable", 4, 0x20, "00 03", 0 },
	{ "CONNACK 3.1.1, bad user name", 4, 0x20, "00 04", 0 },
	{ "CONNACK 5.0", 5, 0x20, "00 00 00", 0 },
	{ "CONNACK 5.0, refused", 5, 0x20, "00 9d 08 1c 0005'other'", 0 },
	{ "CONNACK 5.0, all", 5, 0x20,
	  "01 00 3e"
	  "  11 ffffffff 12 0002'id' 13 000a 15 0001'm' 16 0000 1a 0002'ri' 1c 0001's'"
	  "  1f 0002'rs' 21 ffff 22 0000 24 01 25 00 26 0001'k' 0001'v' 27 00000001"
	  "  28 00 29 00 2a 01", 0 },

	/* PUBLISH: topic, [packet id], [properties], payload */
	{ "PUBLISH 3.1", 3, 0x30, "0001't' 'payload'", 0 },
	{ "PUBLISH 3.1, QoS 1", 3, 0x32, "0001't' 0001 'payload'", 0 },
	{ "PUBLISH 3.1.1", 4, 0x30, "0003'a/b' 'payload'", 0 },
	{ "PUBLISH 3.1.1, no payload, retained", 4, 0x31, "0003'a/b'", 0 },
	{ "PUBLISH 3.1.1, QoS 2, DUP", 4, 0x3c, "0004'$SYS' ffff 'p'", 0 },
	{ "PUBLISH 5.0", 5, 0x30, "0001't' 00 'payload'", 0 },
	{ "PUBLISH 5.0, QoS 1, DUP, retained", 5, 0x3b, "0001't' 1234 00 00", 0 },
	{ "PUBLISH 5.0, alias alone", 5, 0x30, "0000 03 23 ffff 'p'", 0 },
	{ "PUBLISH 5.0, three subscription identifiers", 5, 0x34,
	  "0001't' 0001 0a 0b 01 0b ffffff7f 0b 8001", 0 },
	{ "PUBLISH 5.0, all", 5, 0x30,
	  "0001't' 27"
	  "  01 00 02 ffffffff 03 0000 08 0003'r/s' 09 0003 000000 0b 7f 23 0001"
	  "  26 0001'k' 0001'v' 26 0000 0000 'payload'", 0 },
	{ "PUBLISH 5.0, Property Length of two bytes", 5, 0x30,
	  "0001't' cb01 09 00c8 @200'd' 'p'", 0 },
	{ "PUBLISH 5.0, every kind of character", 5, 0x30,
	  "0010 'a' c280 e0a080 ed9fbf ee8080 f48fbfbf 00 'p'", 0 },

	/* PUBACK, PUBREC, PUBREL, PUBCOMP: packet id, [reason, [properties]] */
	{ "PUBACK 3.1", 3, 0x40, "0001", 0 },
	{ "PUBACK 3.1.1", 4, 0x40, "ffff", 0 },
	{ "PUBACK 5.0", 5, 0x40, "0001", 0 },
	{ "PUBACK 5.0, reason", 5, 0x40, "0001 10", 0 },
	{ "PUBACK 5.0, properties", 5, 0x40, "0001 87 0b 1f 0001'r' 26 0001'k' 0001'v'", 0 },
	{ "PUBACK 5.0, success with properties", 5, 0x40, "0001 00 04 1f 0001'r'", 0 },
	{ "PUBREC 3.1", 3, 0x50, "0001", 0 },
	{ "PUBREC 3.1.1", 4, 0x50, "0001", 0 },
	{ "PUBREC 5.0", 5, 0x50, "0001", 0 },
	{ "PUBREC 5.0, quota exceeded", 5, 0x50, "0001 97", 0 },
	{ "PUBREL 3.1", 3, 0x62, "0001", 0 },
	{ "PUBREL 3.1.1", 4, 0x62, "0001", 0 },
	{ "PUBREL 5.0", 5, 0x62, "0001", 0 },
	{ "PUBREL 5.0, not found", 5, 0x62, "0001 92", 0 },
	{ "PUBREL 5.0, properties", 5, 0x62, "0001 92 04 1f 0001'r'", 0 },
	{ "PUBCOMP 3.1", 3, 0x70, "0001", 0 },
	{ "PUBCOMP 3.1.1", 4, 0x70, "0001", 0 },
	{ "PUBCOMP 5.0, not found", 5, 0x70, "0001 92", 0 },

	/* SUBSCRIBE: packet id, [properties], entries */
	{ "SUBSCRIBE 3.1", 3, 0x82, "0001 0001't' 00", 0 },
	{ "SUBSCRIBE 3.1.1", 4, 0x82, "0001 0001't' 01", 0 },
	{ "SUBSCRIBE 3.1.1, three", 4, 0x82, "0001 0001'#' 02 0001'+' 01 0005'a/+/#' 00", 0 },
	{ "SUBSCRIBE 5.0", 5, 0x82, "0001 00 0001't' 00", 0 },
	{ "SUBSCRIBE 5.0, all options", 5, 0x82, "0001 00 0001't' 2e 0001'u' 15", 0 },
	{ "SUBSCRIBE 5.0, identifier", 5, 0x82,
	  "0001 09 0b 8001 26 0000 0001'v' 000a'$share/g/t' 02", 0 },

	/* SUBACK and UNSUBACK: packet id, [properties], codes */
	{ "SUBACK 3.1", 3, 0x90, "0001 02", 0 },
	{ "SUBACK 3.1.1", 4, 0x90, "0001 00 01 02 80", 0 },
	{ "SUBACK 5.0", 5, 0x90, "0001 00 00 01 02 80 83 87 8f 91 97 9e a1 a2", 0 },
	{ "SUBACK 5.0, properties", 5, 0x90, "0001 0b 1f 0001'r' 26 0001'k' 0001'v' 00", 0 },
	{ "UNSUBSCRIBE 3.1", 3, 0xa2, "0001 0001't'", 0 },
	{ "UNSUBSCRIBE 3.1.1", 4, 0xa2, "0001 0001't' 0001'#'", 0 },
	{ "UNSUBSCRIBE 5.0", 5, 0xa2, "0001 07 26 0001'k' 0001'v' 000a'$share/g/t' 0001'+'", 0 },
	{ "UNSUBACK 3.1", 3, 0xb0, "0001", 0 },
	{ "UNSUBACK 3.1.1", 4, 0xb0, "0001", 0 },
	{ "UNSUBACK 5.0", 5, 0xb0, "0001 00 00 11 80 83 87 8f 91", 0 },
	{ "UNSUBACK 5.0, properties", 5, 0xb0, "0001 04 1f 0001'r' 00", 0 },

	{ "PINGREQ 3.1", 3, 0xc0, "", 0 },
	{ "PINGREQ 3.1.1", 4, 0xc0, "", 0 },
	{ "PINGREQ 5.0", 5, 0xc0, "", 0 },
	{ "PINGRESP 3.1", 3, 0xd0, "", 0 },
	{ "PINGRESP 3.1.1", 4, 0xd0, "", 0 },
	{ "PINGRESP 5.0", 5, 0xd0, "", 0 },

	/* DISCONNECT and AUTH: [reason, [properties]] */
	{ "DISCONNECT 3.1", 3, 0xe0, "", 0 },
	{ "DISCONNECT 3.1.1", 4, 0xe0, "", 0 },
	{ "DISCONNECT 5.0", 5, 0xe0, "", 0 },
	{ "DISCONNECT 5.0, with will", 5, 0xe0, "04", 0 },
	{ "DISCONNECT 5.0, client's", 5, 0xe0, "00 05 11 00000000", 0 },
	{ "DISCONNECT 5.0, server's", 5, 0xe0,
	  "9c 0f 1c 0001's' 1f 0001'r' 26 0001'k' 0001'v'", 0 },
	{ "AUTH 5.0", 5, 0xf0, "", 0 },
	{ "AUTH 5.0, continue", 5, 0xf0, "18 08 15 0001'm' 16 0001 ff", 0 },
	{ "AUTH 5.0, all", 5, 0xf0,
	  "19 13 15 0001'm' 16 0001 ff 1f 0001'r' 26 0001'k' 0001'v'", 0 },
	{ }
};
