// SPDX-License-Identifier: GPL-2.0
/* Words of a command line. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "fields.h"
#include "nl.h"

char *args_next(struct args *args)
{
	if (!args->count)
		return NULL;
	args->count--;
	return *args->words++;
}

char *args_value(struct args *args, const char *keyword)
{
	char *value = args_next(args);

	if (!value)
		usage_error("\"%s\" needs a value", keyword);
	return value;
}

char *args_need(struct args *args, const char *what)
{
	char *word = args_next(args);

	if (!word)
		usage_error("%s is missing", what);
	return word;
}

int args_end(const struct args *args)
{
	if (args->count)
		return usage_error("\"%s\" is one word too many", args->words[0]);
	return STATUS_OK;
}

int usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("kmqtt: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return STATUS_USAGE;
}

static const char *table_word(const void *table, size_t stride, size_t i)
{
	return *(const char *const *)((const char *)table + i * stride);
}

/* `_` stands for `-`, as keys are written in mosquitto.conf. */
static char letter(char c)
{
	return c == '_' ? '-' : c;
}

/* Does @word begin with the @len bytes at @start? */
static bool begins(const char *word, const char *start, size_t len)
{
	size_t i;

	for (i = 0; i < len && letter(word[i]) == letter(start[i]);)
		i++;
	return i == len;
}

static void report_ambiguous(const char *word, const void *table, size_t stride,
			     size_t count, const char *what)
{
	size_t i, len = strlen(word);

	fprintf(stderr, "kmqtt: %s \"%s\" is ambiguous:", what, word);
	for (i = 0; i < count; i++) {
		if (begins(table_word(table, stride, i), word, len))
			fprintf(stderr, " %s", table_word(table, stride, i));
	}
	fputc('\n', stderr);
}

int word_find(const char *word, const void *table, size_t stride, size_t count,
	      const char *what)
{
	size_t i, len = strlen(word);
	const char *w;
	int found = -1;

	for (i = 0; i < count; i++) {
		w = table_word(table, stride, i);
		if (!len || !begins(w, word, len))
			continue;
		if (!w[len])
			return i;
		found = found == -1 ? (int)i : -2;
	}
	if (found == -1)
		usage_error("unknown %s \"%s\"", what, word);
	if (found == -2)
		report_ambiguous(word, table, stride, count, what);
	return found < 0 ? -1 : found;
}

static int number_check(uint64_t v, uint64_t min, uint64_t max,
			const char *keyword, uint64_t *out)
{
	if (v < min || v > max)
		return usage_error("\"%s\" must be from %llu to %llu", keyword,
				   (unsigned long long)min,
				   (unsigned long long)max);
	*out = v;
	return STATUS_OK;
}

int number_parse(const char *word, uint64_t min, uint64_t max,
		 const char *keyword, uint64_t *out)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(word, &end, 10);
	if (errno || *end || *word < '0' || *word > '9')
		return usage_error("\"%s\": \"%s\" is not a number", keyword,
				   word);
	return number_check(v, min, max, keyword, out);
}

int seconds_parse(const char *word, uint64_t min, uint64_t max,
		  const char *keyword, uint64_t *out)
{
	static const char units[] = "smhdw";
	static const uint32_t scale[] = { 1, 60, 3600, 86400, 604800 };
	unsigned long long v;
	const char *unit;
	char *end;

	if (!strcmp(word, "never"))
		return number_check(UINT32_MAX, min, max, keyword, out);
	errno = 0;
	v = strtoull(word, &end, 10);
	unit = strchr(units, *end ? *end : 's');
	if (errno || !unit || (*end && end[1]) || *word < '0' || *word > '9' ||
	    v > UINT32_MAX)
		return usage_error("\"%s\": \"%s\" is not a time, as 90, 90s, 2m, 1h, 7d, 1w",
				   keyword, word);
	return number_check(v * scale[unit - units], min, max, keyword, out);
}

int bool_parse(const char *word, const char *keyword, bool *out)
{
	static const char *const words[] = {
		"off", "on", "false", "true", "no", "yes", "0", "1",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i])) {
			*out = i & 1;
			return STATUS_OK;
		}
	}
	return usage_error("\"%s\" must be on or off, not \"%s\"", keyword, word);
}

char *file_read(const char *path, size_t max, size_t *len)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *buf = malloc(max + 2);
	size_t n;

	if (!f || !buf) {
		usage_error("%s: %s", path, strerror(errno));
		goto err;
	}
	/* one newline at the end does not count, one byte more is too much */
	n = fread(buf, 1, max + 2, f);
	if (ferror(f)) {
		usage_error("%s: %s", path, strerror(errno));
		goto err;
	}
	if (n && n <= max + 1 && buf[n - 1] == '\n')
		n--;
	if (n > max) {
		usage_error("%s: more than %zu bytes", path, max);
		goto err;
	}
	if (f != stdin)
		fclose(f);
	*len = n;
	return buf;
err:
	if (f && f != stdin)
		fclose(f);
	free(buf);
	return NULL;
}

static int put_number(const char *word, const struct param *p,
		      struct nlmsghdr *nlh)
{
	static const uint64_t most[] = {
		[PARAM_U8] = UINT8_MAX,
		[PARAM_U16] = UINT16_MAX,
		[PARAM_U32] = UINT32_MAX,
		[PARAM_U64] = UINT64_MAX,
		[PARAM_SECONDS] = UINT32_MAX,
		[PARAM_SECONDS16] = UINT16_MAX,
	};
	uint64_t max = p->max ? p->max : most[p->type];
	uint64_t v;
	int ret;

	if (p->type == PARAM_SECONDS || p->type == PARAM_SECONDS16)
		ret = seconds_parse(word, p->min, max, p->name, &v);
	else
		ret = number_parse(word, p->min, max, p->name, &v);
	if (ret)
		return ret;
	if (p->type == PARAM_U8)
		return nl_put_u8(nlh, p->attr, v);
	if (p->type == PARAM_U16 || p->type == PARAM_SECONDS16)
		return nl_put_u16(nlh, p->attr, v);
	if (p->type == PARAM_U64)
		return nl_put_u64(nlh, p->attr, v);
	return nl_put_u32(nlh, p->attr, v);
}

int choice_parse(const char *word, const struct words *words,
		 const char *keyword, unsigned int *out)
{
	size_t count = 0;
	int i;

	while (words->word[count])
		count++;
	i = word_find(word, words->word, sizeof(*words->word), count, keyword);
	if (i < 0)
		return STATUS_USAGE;
	*out = i + words->first;
	return STATUS_OK;
}

static int put_choice(const char *word, const struct param *p,
		      struct nlmsghdr *nlh)
{
	unsigned int v;

	if (choice_parse(word, p->words, p->name, &v))
		return STATUS_USAGE;
	if (p->type == PARAM_CHOICE8)
		return nl_put_u8(nlh, p->attr, v);
	return nl_put_u32(nlh, p->attr, v);
}

static int put_string(const char *word, const struct param *p,
		      struct nlmsghdr *nlh)
{
	size_t max = p->max ? p->max : UINT16_MAX - 5;

	if (strlen(word) < p->min)
		return usage_error("\"%s\" must not be empty", p->name);
	if (strlen(word) > max)
		return usage_error("\"%s\" is longer than %zu bytes", p->name,
				   max);
	return nl_put(nlh, p->attr, word,
		      strlen(word) + (p->type == PARAM_STRING));
}

static int put_file(const char *path, const struct param *p,
		    struct nlmsghdr *nlh)
{
	size_t len;
	char *data;
	int ret;

	data = file_read(path, p->max ? p->max : UINT16_MAX - 4, &len);
	if (!data)
		return STATUS_USAGE;
	ret = nl_put(nlh, p->attr, data, len);
	explicit_bzero(data, len);
	free(data);
	return ret;
}

int param_put(struct args *args, const struct param *p, struct nlmsghdr *nlh)
{
	const char *word;
	bool on = false;
	int ret;

	nl_mark(nlh, p->name);
	if (p->type == PARAM_CONST8)
		return nl_put_u8(nlh, p->attr, p->min);
	if (p->type == PARAM_CALL)
		return p->call(args, p, nlh);
	word = args_value(args, p->name);
	if (!word)
		return STATUS_USAGE;
	switch (p->type) {
	case PARAM_BOOL:
		ret = bool_parse(word, p->name, &on);
		return ret ? ret : nl_put_u8(nlh, p->attr, on);
	case PARAM_STRING:
	case PARAM_BYTES:
		return put_string(word, p, nlh);
	case PARAM_FILE:
		return put_file(word, p, nlh);
	case PARAM_CHOICE:
	case PARAM_CHOICE8:
		return put_choice(word, p, nlh);
	default:
		return put_number(word, p, nlh);
	}
}

/* No attribute is given twice, be it by another keyword. */
static int check_seen(const struct param *param,
		      const struct param *const *seen, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (seen[i] == param)
			return usage_error("\"%s\" is given twice",
					   param->name);
		if (seen[i]->attr == param->attr)
			return usage_error("\"%s\" and \"%s\" exclude each other",
					   seen[i]->name, param->name);
	}
	return STATUS_OK;
}

int params_parse(struct args *args, const struct param *table, size_t count,
		 struct nlmsghdr *nlh)
{
	const struct param *seen[PARAMS_MAX];
	size_t count_seen = 0;
	const char *word;
	int i, ret;

	while ((word = args_next(args))) {
		i = word_find(word, table, sizeof(*table), count, "keyword");
		if (i < 0)
			return STATUS_USAGE;
		if (check_seen(&table[i], seen, count_seen))
			return STATUS_USAGE;
		seen[count_seen++] = &table[i];
		ret = param_put(args, &table[i], nlh);
		if (ret)
			return ret;
	}
	return STATUS_OK;
}

bool is_help(struct args *args, bool shortened)
{
	const char *word = args->count ? args->words[0] : "";
	bool help = *word && begins("help", word, strlen(word));

	if (strcmp(word, "help") && strcmp(word, "--help") &&
	    strcmp(word, "-h") && !(shortened && help))
		return false;
	args_next(args);
	return true;
}

int command_run(struct args *args, const struct command *table, size_t count,
		const char *usage)
{
	const char *word;
	int i = 0;

	if (is_help(args, true)) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	word = args_next(args);
	if (word) {
		i = word_find(word, table, sizeof(*table), count, "command");
		if (i < 0) {
			fputs(usage, stderr);
			return STATUS_USAGE;
		}
	}
	return table[i].run(args);
}
