// SPDX-License-Identifier: GPL-2.0
/* Publish a retained message that expires: publish sensors/1/temperature 21.5 */
#include <kmqtt/kmqtt.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct kmqtt *k = kmqtt_open(0);
	struct kmqtt_props *props = kmqtt_props_new();
	struct kmqtt_publication pub = {
		.qos = 1, .flags = KMQTT_REC_RETAIN, .props = props,
	};
	int ret = -1;

	if (argc == 3 && k && props) {
		kmqtt_props_user(props, "unit", "degree");
		kmqtt_props_expiry(props, 3600);
		pub.topic = argv[1];
		pub.payload = argv[2];
		pub.payload_len = strlen(argv[2]);
		ret = kmqtt_publish_set(k, &pub);
	}
	if (ret < 0)
		perror("publish");
	kmqtt_props_free(props);
	kmqtt_close(k);
	return ret < 0;
}
