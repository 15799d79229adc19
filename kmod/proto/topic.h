/* SPDX-License-Identifier: GPL-2.0-only */
/* Topic names and topic filters (MQTT 5.0, 4.7 and 4.8). */
#ifndef KMQTT_PROTO_TOPIC_H
#define KMQTT_PROTO_TOPIC_H

#include "proto.h"

/**
 * kmqtt_topic_name_valid() - may a message be published under this name?
 * @topic: bytes
 * @len: number of bytes
 *
 * MQTT 5.0, 4.7.1 and 4.7.3: 1 to 65535 bytes of UTF-8 as kmqtt_utf8_valid() wants it, without
 * ``+`` and ``#``, and at most %KMQTT_TOPIC_LEVELS_MAX levels. Names that begin with ``$`` are
 * valid; who may publish there is not decided here.
 *
 * Return: true if it may
 */
bool kmqtt_topic_name_valid(const u8 *topic, size_t len);

/**
 * kmqtt_topic_filter_valid() - may one subscribe to this?
 * @filter: bytes
 * @len: number of bytes
 *
 * MQTT 5.0, 4.7.1 and 4.7.3: as for names, but ``+`` may stand for a whole level and ``#`` for all
 * levels from the last on. A filter that begins with ``$share/`` must be a shared subscription,
 * ``$share/name/filter``, as of 4.8.2: the name is at least one byte, without ``+`` and ``#``, and
 * the filter keeps the same rules. The two levels before it do not count to
 * %KMQTT_TOPIC_LEVELS_MAX.
 *
 * Return: true if one may
 */
bool kmqtt_topic_filter_valid(const u8 *filter, size_t len);

/**
 * kmqtt_share_split() - take a shared subscription apart (4.8.2)
 * @full: a valid topic filter
 * @name: out: the share name; @data is NULL if @full is not shared
 * @filter: out: the filter that topics are matched with; @full itself if it is not shared
 *
 * @name and @filter may point to @full's own variable.
 *
 * Return: true if @full is a shared subscription
 */
bool kmqtt_share_split(struct kmqtt_view full, struct kmqtt_view *name, struct kmqtt_view *filter);

/**
 * kmqtt_topic_matches() - does a filter match a topic name?
 * @filter: a valid topic filter that is not shared; see kmqtt_share_split()
 * @topic: a valid topic name
 *
 * MQTT 5.0, 4.7.1 and 4.7.2: ``sport/#`` matches ``sport`` too, and a filter that begins with a
 * wildcard matches no name that begins with ``$``. Takes time in proportion to the shorter one.
 *
 * Return: true if it does
 */
bool kmqtt_topic_matches(struct kmqtt_view filter, struct kmqtt_view topic);

/**
 * kmqtt_filter_covers() - does one filter match all that another one matches?
 * @a: a valid topic filter that is not shared
 * @b: likewise
 *
 * Exact, save that it takes no notice of the limits on length and levels. A filter covers itself.
 *
 * Return: true if each topic name that matches @b matches @a
 */
bool kmqtt_filter_covers(struct kmqtt_view a, struct kmqtt_view b);

/**
 * kmqtt_filter_has_wildcard() - does a filter match more than one name?
 * @filter: a valid topic filter
 *
 * Return: true if it contains ``+`` or ``#``
 */
bool kmqtt_filter_has_wildcard(struct kmqtt_view filter);

/**
 * kmqtt_level_next() - the next level of a topic name or filter
 * @rest: what is left; begins as the whole name or filter, and has @data NULL after the last level
 * @level: out: the level, without its ``/``; may be empty
 *
 * ``a//b/`` has the levels ``a``, an empty one, ``b``, and an empty one.
 *
 * Return: true if there was one more
 */
bool kmqtt_level_next(struct kmqtt_view *rest, struct kmqtt_view *level);

/**
 * kmqtt_topic_levels() - number of levels of a topic name or filter
 * @topic: not empty
 *
 * Return: 1 or more
 */
unsigned int kmqtt_topic_levels(struct kmqtt_view topic);

#endif /* KMQTT_PROTO_TOPIC_H */
