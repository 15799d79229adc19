// SPDX-License-Identifier: GPL-2.0
/* Ask, and wait for the answer for ten seconds: request service/length hello */
#include <kmqtt/kmqtt.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const char to[] = "answers/to/me";
	struct kmqtt *k = kmqtt_open(0);
	struct kmqtt_props *props = kmqtt_props_new();
	struct kmqtt_publication pub = { .qos = 1, .props = props };
	struct kmqtt_message msg;

	if (argc != 3 || !k || !props || kmqtt_subscribe(k, to, 1) < 0)
		return 1;
	kmqtt_props_string(props, KMQTT_PROP_RESPONSE_TOPIC, to, strlen(to));
	kmqtt_props_string(props, KMQTT_PROP_CORRELATION_DATA, "1", 1);
	pub.topic = argv[1];
	pub.payload = argv[2];
	pub.payload_len = strlen(argv[2]);
	if (kmqtt_publish_set(k, &pub) < 0 || kmqtt_receive(k, &msg, 10000) <= 0)
		return 1;
	printf("%.*s\n", (int)msg.payload_len, (const char *)msg.payload);
	kmqtt_props_free(props);
	kmqtt_close(k);
	return 0;
}
