// SPDX-License-Identifier: GPL-2.0-only
/* A block of properties: a byte that chooses the packet, then the block. */
#include "fuzz.h"
#include "proto/props.h"

/* All of it is gone through, and filtering splits it without a rest. */
static void iterate(struct kmqtt_view block, const struct kmqtt_props *props)
{
	const u64 omit = KMQTT_PROP_BIT(KMQTT_PROP_MESSAGE_EXPIRY) |
			 KMQTT_PROP_BIT(KMQTT_PROP_SUBSCRIPTION_ID) |
			 KMQTT_PROP_BIT(KMQTT_PROP_USER_PROPERTY);
	u32 kept = kmqtt_props_filter_size(block, omit);
	u32 left_out = kmqtt_props_filter_size(block, ~omit);
	struct kmqtt_view rest = block;
	struct kmqtt_prop prop;
	u32 sum = 0, user_props = 0;
	u8 *copy = fuzz_copy(block.data, kept);

	while (kmqtt_prop_next(&rest, &prop)) {
		PROMISE(kmqtt_props_has(props, prop.id));
		sum += prop.raw.len;
		user_props += prop.id == KMQTT_PROP_USER_PROPERTY;
	}
	PROMISE(!rest.len && sum == block.len && user_props == props->user_props);
	PROMISE(kept + left_out == block.len);
	PROMISE(kmqtt_props_filter_copy(copy, block, omit) == copy + kept);
	free(copy);
}

/* Written from its members, it says the same. */
static void write_again(const struct kmqtt_props *props, u8 type)
{
	size_t size = kmqtt_props_size(props), used = 0;
	u8 *buf = malloc(size);
	struct kmqtt_writer w = { buf, size, 0 };
	struct kmqtt_props again;

	PROMISE(buf && kmqtt_props_encodable(props, type));
	kmqtt_props_write(&w, props);
	PROMISE(w.len == size);
	PROMISE(!kmqtt_props_decode(buf, size, type, &again, &used) && used == size);
	PROMISE(again.present == props->present && again.raw.len == props->raw.len &&
		again.user_props == props->user_props && again.sub_ids == props->sub_ids &&
		again.sub_id == props->sub_id && again.receive_max == props->receive_max &&
		kmqtt_view_equal(again.correlation_data, props->correlation_data) &&
		kmqtt_view_equal(again.reason_string, props->reason_string));
	free(buf);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct kmqtt_props props;
	struct kmqtt_view block, rest;
	struct kmqtt_prop prop;
	u8 type, rc;
	u8 *copy;

	if (!size)
		return 0;
	type = 1 + data[0] % KMQTT_WILL;
	copy = fuzz_copy(data + 1, size - 1);
	block = (struct kmqtt_view){ copy, (u32)(size - 1) };

	/* An iterator ends, valid or not. */
	rest = block;
	while (kmqtt_prop_next(&rest, &prop))
		;
	rc = kmqtt_props_parse(block, type, &props);
	PROMISE(!rc || rc == KMQTT_RC_MALFORMED_PACKET || rc == KMQTT_RC_PROTOCOL_ERROR ||
		rc == KMQTT_RC_TOPIC_ALIAS_INVALID);
	if (!rc) {
		iterate(block, &props);
		write_again(&props, type);
	}
	free(copy);
	return 0;
}
