// SPDX-License-Identifier: GPL-2.0-only
/* Topic names and filters: validity by tables, matching and covering against slow twins. */
#include <stdlib.h>

#include "bytes.h"
#include "proto/topic.h"
#include "tap.h"
#include "tests.h"
#include "twins.h"

#define DEPTH_MAX 8

static const char * const good_names[] = {
	"'a'", "'/'", "'//'", "'a/b/c'", "'/a'", "'a/'", "' '", "'$SYS/x'", "'$share'", "c3a4", "01",
	"@200'/'", "@65535'a'",
};

static const char * const bad_names[] = {
	"", "'+'", "'#'", "'a/+'", "'a+b'", "'a#'", "00", "'a' 00 'b'", "eda080", "80", "@201'/'",
	"@65536'a'",
};

static const char * const good_filters[] = {
	"'a'", "'+'", "'#'", "'/#'", "'+/#'", "'a/+/b'", "'a/#'", "'+/+'", "'$SYS/#'", "'/'",
	"'$share/g/a'", "'$share/g/#'", "'$share/g/+/b'", "'$share/g//'", "'$share/g/$share/h'",
	"'$share'", "'$shared/a'", "@200'/'", "@65535'a'", "'$share/g/' @200'/'",
};

static const char * const bad_filters[] = {
	"", "'a+'", "'+a'", "'a#'", "'#a'", "'#/a'", "'a/#/b'", "'##'", "'++'", "'a/b#'", "'a/+b/c'",
	"'$share/'", "'$share/g'", "'$share/g/'", "'$share//a'", "'$share/+/a'", "'$share/#'",
	"'$share/a#/b'", "'$share/g/a#'", "00", "'a/' 00", "ff", "@201'/'", "@65536'a'",
	"'$share/g/' @201'/'",
};

static void each(const char * const *texts, size_t n, bool (*valid)(const u8 *s, size_t len),
		 bool want, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		struct bytes b = bytes_parse(texts[i]);

		ok(valid(b.data, b.len) == want, "%s: %s", what, texts[i]);
		bytes_free(&b);
	}
}

static void test_valid(void)
{
	each(good_names, ARRAY_SIZE(good_names), kmqtt_topic_name_valid, true, "topic name");
	each(bad_names, ARRAY_SIZE(bad_names), kmqtt_topic_name_valid, false, "no topic name");
	each(good_filters, ARRAY_SIZE(good_filters), kmqtt_topic_filter_valid, true,
	     "topic filter");
	each(bad_filters, ARRAY_SIZE(bad_filters), kmqtt_topic_filter_valid, false,
	     "no topic filter");
}

static bool slow_name_valid(const u8 *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] == '+' || s[i] == '#')
			return false;
	return len && slow_utf8_valid(s, len);
}

/* Names are looked at eight bytes at a time: what is wrong is found wherever it stands. */
static void test_words(void)
{
	static const u8 bytes[] = { 0, 1, '+' - 1, '+', '+' + 1, '#' - 1, '#', '#' + 1, '/', 0x7f,
				    0x80, 0xa3, 0xab, 0xc2, 0xff };
	unsigned int wrong = 0, n = 0;
	u8 name[40];

	for (size_t len = 1; len <= sizeof(name); len++)
		for (size_t at = 0; at < len; at++)
			for (size_t i = 0; i < ARRAY_SIZE(bytes); i++)
				for (size_t j = 0; j < ARRAY_SIZE(bytes); j++, n++) {
					u8 *end = name + sizeof(name) - len;	/* for ASan */

					memset(end, 'a', len);
					end[at] = bytes[i];
					if (at + 1 < len)
						end[at + 1] = bytes[j];
					wrong += kmqtt_topic_name_valid(end, len) !=
						 slow_name_valid(end, len);
				}
	ok(!wrong && n > 100000, "%u topic names with two odd bytes", n);
}

static void test_share(void)
{
	static const struct {
		const char *full;
		const char *name;
		const char *filter;
	} cases[] = {
		{ "$share/g/a/b", "g", "a/b" }, { "$share/g/#", "g", "#" },
		{ "$share/g//", "g", "/" }, { "a/b", NULL, "a/b" }, { "$share", NULL, "$share" },
		{ "building/7/a", NULL, "building/7/a" },
		{ "$shared/g/a", NULL, "$shared/g/a" }, { "$share/g", NULL, "$share/g" },
		{ "$share/g/", NULL, "$share/g/" }, { "$share//a", NULL, "$share//a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bytes b = bytes_copy(cases[i].full, strlen(cases[i].full));
		struct kmqtt_view name, filter = bytes_view(b);
		bool shared = kmqtt_share_split(filter, &name, &filter);
		bool pass = shared == !!cases[i].name;

		if (pass && shared)
			pass = kmqtt_view_equal(name, text_view(cases[i].name));
		else if (pass)
			pass = !name.data;
		ok(pass && kmqtt_view_equal(filter, text_view(cases[i].filter)), "share: %s",
		   cases[i].full);
		bytes_free(&b);
	}
}

static void test_levels(void)
{
	static const struct {
		const char *topic;
		const char *levels[5];
	} cases[] = {
		{ "a", { "a" } }, { "a/b", { "a", "b" } }, { "/", { "", "" } },
		{ "a//b/", { "a", "", "b", "" } }, { "/a", { "", "a" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bytes b = bytes_copy(cases[i].topic, strlen(cases[i].topic));
		struct kmqtt_view rest = bytes_view(b), level;
		bool same = true;
		unsigned int n = 0;

		while (kmqtt_level_next(&rest, &level)) {
			same &= cases[i].levels[n] &&
				kmqtt_view_equal(level, text_view(cases[i].levels[n]));
			n++;
		}
		ok(same && !cases[i].levels[n] && kmqtt_topic_levels(bytes_view(b)) == n,
		   "levels: %s", cases[i].topic);
		bytes_free(&b);
	}
}

/* The examples of MQTT 5.0, 4.7.1 to 4.7.3. */
static const struct {
	const char *filter;
	const char *topic;
	bool match;
} examples[] = {
	{ "sport/tennis/player1/#", "sport/tennis/player1", true },
	{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
	{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
	{ "sport/#", "sport", true },
	{ "sport/#", "sports", false },
	{ "#", "sport", true },
	{ "sport/tennis/+", "sport/tennis/player1", true },
	{ "sport/tennis/+", "sport/tennis/player1/ranking", false },
	{ "sport/+", "sport", false },
	{ "sport/+", "sport/", true },
	{ "+/+", "/finance", true },
	{ "/+", "/finance", true },
	{ "+", "/finance", false },
	{ "+/tennis/#", "a/tennis", true },
	{ "#", "$SYS/monitor/Clients", false },
	{ "+/monitor/Clients", "$SYS/monitor/Clients", false },
	{ "+", "$SYS", false },
	{ "+/#", "$SYS", false },
	{ "$SYS/#", "$SYS/monitor/Clients", true },
	{ "$SYS/#", "$SYS", true },
	{ "$SYS/monitor/+", "$SYS/monitor/Clients", true },
	{ "a/+", "a/$b", true },
	{ "a/#", "a/$b", true },
	{ "ACCOUNTS", "Accounts", false },
	{ "/A", "A", false },
	{ "a/b", "a/b", true },
	{ "a/b", "a/b/", false },
	{ "a/b/", "a/b", false },
};

static void test_examples(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		ok(kmqtt_topic_matches(text_view(examples[i].filter),
				       text_view(examples[i].topic)) == examples[i].match,
		   "%s %s %s", examples[i].filter, examples[i].match ? "matches" : "does not match",
		   examples[i].topic);
	ok(kmqtt_filter_has_wildcard(text_view("a/+")) &&
	   kmqtt_filter_has_wildcard(text_view("#")) &&
	   !kmqtt_filter_has_wildcard(text_view("a/b")), "has a wildcard");
}

/**
 * struct path - a topic name or filter
 * @text: its bytes
 * @len: their number
 */
struct path {
	u8 text[64];
	u32 len;
};

static void path_add(struct path *p, bool first, const char *level)
{
	size_t len = strlen(level);

	if (!first)
		p->text[p->len++] = '/';
	memcpy(p->text + p->len, level, len);
	p->len += (u32)len;
}

static struct kmqtt_view path_view(const struct path *p)
{
	struct kmqtt_view view = { p->text, p->len };

	return view;
}

/* All paths of up to depth levels out of these words; the empty one is left out. */
static u32 enumerate(struct path *out, const char * const *words, u32 n_words, unsigned int depth)
{
	u32 n = 0, total = 1, rest;

	for (unsigned int d = 1; d <= depth; d++) {
		total *= n_words;
		for (u32 i = 0; i < total; i++) {
			struct path p = { .len = 0 };

			rest = i;
			for (unsigned int level = 0; level < d; level++, rest /= n_words)
				path_add(&p, !level, words[rest % n_words]);
			if (p.len)
				out[n++] = p;
		}
	}
	return n;
}

static const char * const topic_words[] = { "", "a", "z", "$a" };
static const char * const filter_words[] = { "", "a", "+", "$a", "#" };

/* Topics one level deeper than any filter, and with a word that no filter has. */
#define MAX_TOPICS 1400
#define MAX_FILTERS 800

static void test_twins(void)
{
	struct path *topics = calloc(MAX_TOPICS, sizeof(*topics));
	struct path *filters = calloc(MAX_FILTERS, sizeof(*filters));
	bool (*matches)[MAX_TOPICS] = calloc(MAX_FILTERS, sizeof(*matches));
	u32 n_topics, n_filters, wrong = 0, n = 0, i, j, k;

	n_topics = enumerate(topics, topic_words, ARRAY_SIZE(topic_words), 5);
	n_filters = enumerate(filters, filter_words, ARRAY_SIZE(filter_words), 4);
	for (i = 0; i < n_filters; i++)
		if (kmqtt_topic_filter_valid(filters[i].text, filters[i].len))
			filters[n++] = filters[i];
	n_filters = n;

	for (i = 0; i < n_filters; i++)
		for (j = 0; j < n_topics; j++) {
			matches[i][j] = slow_topic_matches(path_view(&filters[i]),
							   path_view(&topics[j]));
			wrong += kmqtt_topic_matches(path_view(&filters[i]),
						     path_view(&topics[j])) != matches[i][j];
		}
	ok(!wrong, "twin: %u filters with %u topics, %u wrong", n_filters, n_topics, wrong);

	for (i = 0; i < n_filters; i++)
		for (j = 0; j < n_filters; j++) {
			bool covers = true;

			for (k = 0; k < n_topics && covers; k++)
				covers = !matches[j][k] || matches[i][k];
			if (kmqtt_filter_covers(path_view(&filters[i]), path_view(&filters[j])) ==
			    covers)
				continue;
			wrong++;
			diag("%.*s covers %.*s", filters[i].len, filters[i].text,
			     filters[j].len, filters[j].text);
		}
	ok(!wrong, "twin: which of %u filters covers which, %u wrong", n_filters, wrong);
	free(matches);
	free(filters);
	free(topics);
}

static void random_path(struct path *p, const char * const *words, u32 n_words)
{
	unsigned int depth = 1 + random_below(DEPTH_MAX);

	p->len = 0;
	for (unsigned int level = 0; level < depth; level++)
		path_add(p, !level, words[random_below(n_words)]);
}

static void test_random(void)
{
	static const char * const topic_few[] = { "", "a", "b", "$a" };
	static const char * const filter_few[] = { "a", "+", "+", "b", "", "#" };
	u32 wrong = 0, hits = 0, runs = 0;
	struct path f, t;
	bool match;

	while (runs < 300000) {
		random_path(&f, filter_few, ARRAY_SIZE(filter_few));
		random_path(&t, topic_few, ARRAY_SIZE(topic_few));
		if (!kmqtt_topic_filter_valid(f.text, f.len) || !t.len)
			continue;
		runs++;
		match = slow_topic_matches(path_view(&f), path_view(&t));
		hits += match;
		wrong += kmqtt_topic_matches(path_view(&f), path_view(&t)) != match;
	}
	ok(!wrong && hits > 1000, "twin: %u random pairs, %u match, %u wrong", runs, hits, wrong);
}

void test_topic(void)
{
	test_valid();
	test_words();
	test_share();
	test_levels();
	test_examples();
	test_twins();
	test_random();
}
