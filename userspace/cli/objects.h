/* SPDX-License-Identifier: GPL-2.0 */
/* The objects of the command: each gets the words behind its own. */
#ifndef KMQTT_CLI_OBJECTS_H
#define KMQTT_CLI_OBJECTS_H

#include "args.h"

/** switch_show_main() - `kmqtt show`. Return: &enum status, as all of them */
int switch_show_main(struct args *args);

/** switch_set_main() - `kmqtt set KEY VALUE ...` */
int switch_set_main(struct args *args);

/** uplink_main() - `kmqtt uplink ...` */
int uplink_main(struct args *args);

/** uplink_topic_main() - `kmqtt uplink topic ...` */
int uplink_topic_main(struct args *args);

/** uplink_topics_print() - the topic rules of one uplink, as part of it */
int uplink_topics_print(const char *uplink);

/** listener_main() - `kmqtt listener ...` */
int listener_main(struct args *args);

/** session_main() - `kmqtt session ...` */
int session_main(struct args *args);

/**
 * put_session() - which session is meant: `CLIENT-ID` or `number N`
 * @args:	words
 * @nlh:	request that gets the attribute
 * @name_attr:	attribute of a name
 * @number_attr: attribute of a number
 *
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int put_session(struct args *args, struct nlmsghdr *nlh, uint16_t name_attr,
		uint16_t number_attr);

/** subscription_main() - `kmqtt subscription ...` */
int subscription_main(struct args *args);

/** retained_main() - `kmqtt retained ...` */
int retained_main(struct args *args);

/** acl_main() - `kmqtt acl ...` */
int acl_main(struct args *args);

/** passwd_main() - `kmqtt passwd ...` */
int passwd_main(struct args *args);

/** monitor_main() - `kmqtt monitor ...` */
int monitor_main(struct args *args);

/** stats_main() - `kmqtt stats` */
int stats_main(struct args *args);

/** top_main() - `kmqtt top ...` */
int top_main(struct args *args);

/** bench_main() - `kmqtt bench ...` */
int bench_main(struct args *args);

/**
 * stats_keys - JSON keys of the counters, by attribute; NULL where there is none
 */
extern const char *const stats_keys[];

/** STATS_KEYS - entries in stats_keys */
#define STATS_KEYS	20

#endif
