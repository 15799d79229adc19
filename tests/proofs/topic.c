// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "prove.h"
#include "proto/topic.h"
#include "proto/utf8.h"
#include "twins.h"

/* "z" is in no filter: it stands for any other word. 0xc3 0xa4 is one character. */
static const u8 filter_letters[] = { 'a', '/', '+', '#', '$' };
static const u8 topic_letters[] = { 'a', '/', 'z', '$' };
static const u8 any_letters[] = { 'a', '/', '+', '#', '$', 0xc3, 0xa4, 0x00 };

#define LONGEST 8
/* Filters of this length are compared with each other by the topics that they match. */
#define COVERS_LONGEST 5
#define COVERS_TOPICS 7

/**
 * struct word - a short text
 * @text: its bytes
 * @len: their number
 */
struct word {
	u8 text[LONGEST + 1];
	u32 len;
};

static struct kmqtt_view view(const struct word *w)
{
	return (struct kmqtt_view){ w->text, w->len };
}

/* Number @i of the words of @len letters out of @n. */
static void spell(struct word *w, const u8 *letters, u32 n, u32 len, u32 i)
{
	w->len = len;
	for (u32 at = 0; at < len; at++, i /= n)
		w->text[at] = letters[i % n];
}

static u32 power(u32 n, u32 len)
{
	u32 total = 1;

	while (len--)
		total *= n;
	return total;
}

/* All words of 1 to @longest letters that @valid takes; of their own memory. */
static struct word *words(const u8 *letters, u32 n_letters, u32 longest,
			  bool (*valid)(const u8 *s, size_t len), u32 *n)
{
	struct word *all = calloc(2 * power(n_letters, longest), sizeof(*all));

	*n = 0;
	for (u32 len = 1; all && len <= longest; len++)
		for (u32 i = 0; i < power(n_letters, len); i++) {
			spell(&all[*n], letters, n_letters, len, i);
			*n += valid(all[*n].text, len);
		}
	return all;
}

/* 4.8.2: $share/NAME/FILTER, NAME without / + #, neither of them empty. */
static bool slow_valid(struct kmqtt_view f)
{
	u32 slash = 7;

	if (!slow_utf8_valid(f.data, f.len))
		return false;
	if (f.len < 7 || memcmp(f.data, "$share/", 7))
		return slow_filter_valid(f);
	while (slash < f.len && f.data[slash] != '/')
		if (f.data[slash] == '+' || f.data[slash++] == '#')
			return false;
	return slash > 7 && slash < f.len &&
	       slow_filter_valid((struct kmqtt_view){ f.data + slash + 1, f.len - slash - 1 });
}

static bool slow_name_valid(struct kmqtt_view t)
{
	bool good = t.len && slow_utf8_valid(t.data, t.len);

	for (u32 i = 0; i < t.len; i++)
		good &= t.data[i] != '+' && t.data[i] != '#';
	return good;
}

/* Which texts are topic names and filters, alone and behind "$share/". */
static void validity(u32 longest)
{
	u64 wrong = 0, n = 0;
	struct word w;
	u8 shared[7 + LONGEST];

	memcpy(shared, "$share/", 7);
	for (u32 len = 0; len <= longest; len++)
		for (u32 i = 0; i < power(ARRAY_SIZE(any_letters), len); i++, n++) {
			struct kmqtt_view long_one = { shared, 7 + len };

			spell(&w, any_letters, ARRAY_SIZE(any_letters), len, i);
			memcpy(shared + 7, w.text, len);
			wrong += kmqtt_topic_name_valid(w.text, len) != slow_name_valid(view(&w));
			wrong += kmqtt_topic_filter_valid(w.text, len) != slow_valid(view(&w));
			wrong += kmqtt_topic_filter_valid(shared, 7 + len) != slow_valid(long_one);
		}
	ok(!wrong, "topic: which of %llu texts are valid, %llu wrong", (unsigned long long)n,
	   (unsigned long long)wrong);
}

static void matching(u32 longest)
{
	u32 n_filters, n_topics;
	struct word *filters = words(filter_letters, ARRAY_SIZE(filter_letters), longest,
				     kmqtt_topic_filter_valid, &n_filters);
	struct word *topics = words(topic_letters, ARRAY_SIZE(topic_letters), longest,
				    kmqtt_topic_name_valid, &n_topics);
	u64 wrong = 0, hits = 0;

	for (u32 i = 0; i < n_filters; i++)
		for (u32 j = 0; j < n_topics; j++) {
			struct kmqtt_view f = view(&filters[i]), t = view(&topics[j]);
			bool match = slow_topic_matches(f, t);

			hits += match;
			wrong += kmqtt_topic_matches(f, t) != match;
		}
	ok(!wrong && hits, "topic: %u filters with %u topics, %llu match, %llu wrong", n_filters,
	   n_topics, (unsigned long long)hits, (unsigned long long)wrong);
	free(filters);
	free(topics);
}

/* A filter covers another one if it matches each topic that the other one matches. */
static void covering(void)
{
	u32 n_filters, n_topics;
	struct word *filters = words(filter_letters, ARRAY_SIZE(filter_letters), COVERS_LONGEST,
				     kmqtt_topic_filter_valid, &n_filters);
	struct word *topics = words(topic_letters, ARRAY_SIZE(topic_letters), COVERS_TOPICS,
				    kmqtt_topic_name_valid, &n_topics);
	u8 *matches = calloc(n_filters, n_topics);
	u64 wrong = 0, n = 0;

	for (u32 i = 0; i < n_filters; i++)
		for (u32 j = 0; j < n_topics; j++)
			matches[i * n_topics + j] = slow_topic_matches(view(&filters[i]),
								       view(&topics[j]));
	for (u32 i = 0; i < n_filters; i++)
		for (u32 j = 0; j < n_filters; j++) {
			const u8 *a = matches + i * n_topics, *b = matches + j * n_topics;
			bool covers = true;

			for (u32 k = 0; k < n_topics && covers; k++)
				covers = a[k] >= b[k];
			n += covers;
			wrong += kmqtt_filter_covers(view(&filters[i]),
						     view(&filters[j])) != covers;
		}
	ok(!wrong && n, "topic: %llu pairs of %u filters cover each other, by %u topics, %llu wrong",
	   (unsigned long long)n, n_filters, n_topics, (unsigned long long)wrong);
	free(matches);
	free(topics);
	free(filters);
}

void prove_topic(bool full)
{
	validity(full ? LONGEST : LONGEST - 1);
	matching(full ? LONGEST : LONGEST - 1);
	covering();
}
