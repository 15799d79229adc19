// SPDX-License-Identifier: GPL-2.0
/* Unit tests of libkmqtt: records, properties, errors. TAP on standard output. */
#include <errno.h>
#include <kmqtt/kmqtt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int tests, failures;

static void check(bool ok, const char *what)
{
	tests++;
	failures += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", tests, what);
}

static void test_layout(void)
{
	check(sizeof(struct kmqtt_record) == 48 &&
	      sizeof(struct kmqtt_session_conf) == 48 &&
	      sizeof(struct kmqtt_subscription) == 32 &&
	      sizeof(struct kmqtt_publish_wait) == 24 &&
	      sizeof(struct kmqtt_file_stats) == 72 &&
	      sizeof(struct kmqtt_ring_setup) == 48,
	      "structs are the same in 32 and 64 bits");
}

static struct kmqtt_props *make_props(void)
{
	struct kmqtt_props *props = kmqtt_props_new();

	if (!props ||
	    kmqtt_props_user(props, "k", "v") ||
	    kmqtt_props_string(props, KMQTT_PROP_CONTENT_TYPE, "text", 4) ||
	    kmqtt_props_user(props, "k2", "") ||
	    kmqtt_props_format(props, 1))
		abort();
	kmqtt_props_expiry(props, 60);
	return props;
}

static void test_record(void)
{
	static unsigned char buf[512] __attribute__((aligned(8)));
	struct kmqtt_props *props = make_props();
	struct kmqtt_publication pub = {
		.topic = "a/b",
		.payload = "123456",
		.payload_len = 6,
		.qos = 1,
		.flags = KMQTT_REC_RETAIN,
		.props = props,
	};
	struct kmqtt_record *rec = (void *)buf;
	struct kmqtt_message msg;
	size_t pos = 0, user_len = 0;
	ssize_t len = kmqtt_record_put(NULL, 0, &pub), second;
	struct kmqtt_prop_view view;
	const char *user;

	memset(buf, 0xff, sizeof(buf));
	check(len > 0 && len % 8 == 0, "a record's size is a multiple of 8");
	check(kmqtt_record_put(buf, len - 1, &pub) == len && buf[0] == 0xff,
	      "a record is not written where it does not fit");
	check(kmqtt_record_put(buf, len, &pub) == len && buf[len] == 0xff,
	      "a record fills its room and no more");
	check((ssize_t)rec->len == len && rec->type == KMQTT_REC_MESSAGE &&
	      !rec->reserved && !rec->reserved2 && !rec->id && !rec->time_ns &&
	      !rec->sub_id && !buf[len - 1], "what is reserved is zero");
	pub.topic = "c";
	pub.props = NULL;
	second = kmqtt_record_put(buf + len, sizeof(buf) - len, &pub);
	check(kmqtt_message_next(&pos, buf, len + second, &msg) == 1 &&
	      !strcmp(msg.topic, "a/b") && msg.topic_len == 3 &&
	      msg.payload_len == 6 && !memcmp(msg.payload, "123456", 6) &&
	      msg.qos == 1 && msg.flags == KMQTT_REC_RETAIN && msg.expiry == 60,
	      "a record is read as it was written");
	check(kmqtt_message_prop(&msg, KMQTT_PROP_CONTENT_TYPE, &view) &&
	      view.len == 4 && !memcmp(view.data, "text", 4) &&
	      kmqtt_message_prop(&msg, KMQTT_PROP_PAYLOAD_FORMAT, &view) &&
	      view.number == 1 &&
	      !kmqtt_message_prop(&msg, KMQTT_PROP_RESPONSE_TOPIC, &view),
	      "properties are found");
	user = kmqtt_message_user(&msg, "k2", &user_len);
	check(user && !user_len &&
	      (user = kmqtt_message_user(&msg, "k", &user_len)) &&
	      user_len == 1 && *user == 'v' &&
	      !kmqtt_message_user(&msg, "k3", &user_len),
	      "user properties are found by name");
	check(kmqtt_message_next(&pos, buf, len + second, &msg) == 1 &&
	      !strcmp(msg.topic, "c") && !msg.props_len && !msg.expiry &&
	      !kmqtt_message_next(&pos, buf, len + second, &msg),
	      "the second record follows the first, and then it ends");
	pos = 0;
	check(!kmqtt_message_next(&pos, buf, len - 8, &msg) &&
	      !kmqtt_message_next(&pos, buf, 8, &msg),
	      "a record that is cut off is no message");
	kmqtt_props_free(props);
}

static void test_limits(void)
{
	char *topic = malloc(65537);
	struct kmqtt_publication pub = { .topic = topic };
	struct kmqtt_props *props = kmqtt_props_new();

	memset(topic, 'a', 65536);
	topic[65536] = '\0';
	check(kmqtt_record_put(NULL, 0, &pub) == -1 && errno == EINVAL,
	      "a topic of 65536 bytes is refused");
	topic[65535] = '\0';
	check(kmqtt_record_put(NULL, 0, &pub) == 65584,
	      "a topic of 65535 bytes is not");
	pub.topic = "a";
	pub.qos = 3;
	check(kmqtt_record_put(NULL, 0, &pub) == -1 && errno == EINVAL,
	      "QoS 3 is refused");
	pub.qos = 0;
	pub.payload_len = 1UL << 31;
	check(kmqtt_record_put(NULL, 0, &pub) == -1 && errno == EMSGSIZE,
	      "a payload of 2 GiB is refused");
	check(kmqtt_props_string(props, KMQTT_PROP_USER, "a", 1) == -1 &&
	      errno == EINVAL &&
	      kmqtt_props_string(props, KMQTT_PROP_CONTENT_TYPE, topic,
				 65536) == -1 && errno == EINVAL &&
	      kmqtt_props_format(props, 2) == -1 && errno == EINVAL,
	      "properties that cannot be are refused");
	check(!kmqtt_props_string(props, KMQTT_PROP_CONTENT_TYPE, "", 0) &&
	      kmqtt_props_string(props, KMQTT_PROP_CONTENT_TYPE, "a", 1) == -1 &&
	      errno == EEXIST && !kmqtt_props_format(props, 0) &&
	      kmqtt_props_format(props, 0) == -1 && errno == EEXIST,
	      "a property that may come once comes once");
	kmqtt_props_free(props);
	kmqtt_props_free(NULL);
	free(topic);
}

static void test_errors(void)
{
	check(strstr(kmqtt_strerror(ENOLINK), "uplink") &&
	      !strcmp(kmqtt_strerror(ENOEXEC), strerror(ENOEXEC)),
	      "errors are explained");
	check(!kmqtt_open(0x7fffffff) && errno == EINVAL,
	      "flags that open() would take are refused");
	kmqtt_close(NULL);
}

int main(void)
{
	test_layout();
	test_record();
	test_limits();
	test_errors();
	printf("1..%u\n", tests);
	return failures != 0;
}
