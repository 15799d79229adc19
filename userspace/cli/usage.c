// SPDX-License-Identifier: GPL-2.0
/* The help texts. */
#include <stdio.h>

#include "options.h"

static const char pub_synopsis[] =
"{-t topic | -L URL} {-f file | -l | -n | -m message | -s}\n"
"         [-q qos] [-r] [--repeat N] [--repeat-delay time] [--wait time]\n";

static const char sub_synopsis[] =
"{-t topic | -L URL | -U topic}...\n"
"         [-q qos] [-C msg_count] [-E] [-R] [--retained-only] [--remove-retained]\n"
"         [--retain-as-published] [--retain-handling always|new|never]\n"
"         [-T filter_out] [-U topic] [--random-filter chance]\n"
"         [-F format] [-N] [-v] [--pretty] [-W timeout_secs]\n";

static const char rr_synopsis[] =
"{-t topic | -L URL} -e response-topic\n"
"         {-f file | -n | -m message | -s}\n"
"         [-q qos] [-R] [-F format] [-N] [-v] [--pretty] [-W timeout_secs]\n";

static const char all_synopsis[] =
"         [-c] [-i id | -I id_prefix] [-x session-expiry] [-M max_inflight]\n"
"         [-V version] [-D command identifier value] [-d] [--quiet]\n"
"         [-o options-file]\n";

/**
 * struct text - a help text
 * @tools:	which programs have it
 * @text:	the text
 */
struct text {
	unsigned int tools;
	const char *text;
};

#define PUB	TOOL_PUB
#define SUB	TOOL_SUB
#define RR	TOOL_RR
#define ALL	(TOOL_PUB | TOOL_SUB | TOOL_RR)

static const struct text texts[] = {
	{ ALL, " -c : disable clean session/enable persistent client mode\n"
	       "      The session of this id is kept with its subscriptions and messages,\n"
	       "      and never expires unless -x says so.\n" },
	{ SUB, " -C : disconnect and exit after receiving the 'msg_count' messages.\n" },
	{ ALL, " -d : enable debug messages.\n" },
	{ ALL, " -D : Define MQTT v5 properties. See the documentation for more details.\n" },
	{ RR,  " -e : Response topic. The client will subscribe to this topic to wait for a\n"
	       "      response.\n" },
	{ SUB, " -E : Exit once all subscriptions have been made.\n" },
	{ PUB | RR, " -f : send the contents of a file as the message.\n" },
	{ SUB | RR, " -F : output format.\n" },
	{ ALL, " -i : id to use for this session. Without one it has no name and ends with\n"
	       "      the process.\n" },
	{ ALL, " -I : define the id as id_prefix appended with the process id.\n" },
	{ ALL, " -L : the topic as a URL in the form, of which nothing else counts:\n"
	       "      mqtt(s)://[username[:password]@]host[:port]/topic\n" },
	{ PUB, " -l : read messages from stdin, sending a separate message for each line.\n" },
	{ PUB | RR, " -m : message payload to send.\n" },
	{ ALL, " -M : the maximum inflight messages for QoS 1/2.\n" },
	{ PUB | RR, " -n : send a null (zero length) message.\n" },
	{ SUB | RR, " -N : do not add an end of line character when printing the payload.\n" },
	{ ALL, " -o : provide options in a file rather than on the command line.\n" },
	{ PUB, " -q : quality of service level to use for all messages. Defaults to 0.\n" },
	{ SUB, " -q : quality of service level to use for the subscription. Defaults to 0.\n" },
	{ RR,  " -q : quality of service level to use for communications. Defaults to 0.\n" },
	{ PUB, " -r : message should be retained.\n" },
	{ SUB | RR, " -R : do not print stale messages (those with retain set).\n" },
	{ PUB | RR, " -s : read message from stdin, sending the entire input as a message.\n" },
	{ PUB, " -t : topic to publish to.\n" },
	{ SUB, " -t : topic to subscribe to. May be repeated multiple times.\n"
	       " -T : topic string to filter out of results. May be repeated.\n"
	       " -U : unsubscribe from a topic. May be repeated.\n" },
	{ RR,  " -t : topic where the request message will be sent.\n" },
	{ SUB | RR, " -v : print received messages verbosely.\n" },
	{ ALL, " -V : mqttv5, mqttv311 or mqttv31: a version before mqttv5 hides the properties\n"
	       "      of messages. Defaults to mqttv5.\n" },
	{ SUB, " -W : Specifies a timeout in seconds how long to process incoming messages.\n" },
	{ RR,  " -W : Specifies a timeout in seconds how long to wait for a response.\n" },
	{ ALL, " -x : seconds after which the session expires when this process has ended;\n"
	       "      -1, 4294967295, or ∞ for never. Defaults to -1 if -c is also given, or 0\n"
	       "      if -c not given.\n"
	       " --help : display this message.\n" },
	{ SUB | RR, " --pretty : print formatted output rather than minimised output when using\n"
		    "            the JSON output format option.\n" },
	{ ALL, " --quiet : don't print error messages.\n" },
	{ SUB, " --random-filter : only print a percentage of received messages. Set to 100 to\n"
	       "                   have all messages printed, 50.0 to have half of the messages\n"
	       "                   received on average printed, and so on.\n" },
	{ PUB, " --repeat : if publish mode is -f, -m, or -s, then repeat the publish N times.\n"
	       " --repeat-delay : if using --repeat, wait time seconds between publishes.\n"
	       "                  Defaults to 0.\n" },
	{ SUB | RR, " --retain-as-published : keep the retain flag as it was published.\n" },
	{ SUB, " --retain-handling : when retained messages are sent: always, only for a new\n"
	       "                     subscription, or never.\n"
	       " --retained-only : only handle messages with the retained flag set, and exit when\n"
	       "                   the first non-retained message is received.\n"
	       " --remove-retained : publish an empty message to clear any received retained\n"
	       "                     messages. Use -T to filter out messages you do not want\n"
	       "                     to be cleared.\n" },
	{ PUB, " --wait : with QoS 1 or 2, wait until the brokers that the uplinks lead to have\n"
	       "          acknowledged the message, up to time seconds; 0 for ever.\n" },
	{ ALL, "\nThese have no effect, since there is no connection to a broker here:\n"
	       " -A -h -k -p -P -S -u --cafile --capath --cert --ciphers --insecure --key\n"
	       " --keyform --no-tls --nodelay --proxy --psk --psk-identity --tls-alpn --tls-engine\n"
	       " --tls-engine-kpass-sha1 --tls-use-os-certs --tls-version --unix --will-payload\n"
	       " --will-qos --will-retain --will-topic --ws\n\n" },
};

void usage_print(const struct options *o)
{
	const char *what, *synopsis;
	size_t i;

	switch (o->tool) {
	case TOOL_PUB:
		what = "publishes a message on a single topic and exits";
		synopsis = pub_synopsis;
		break;
	case TOOL_SUB:
		what = "subscribes to a set of topics and prints all messages it receives";
		synopsis = sub_synopsis;
		break;
	default:
		what = "publishes a request message and waits for a response";
		synopsis = rr_synopsis;
		break;
	}
	printf("%s %s, through " KMQTT_DEVICE ".\n", o->name, what);
	printf("%s version %s.\n\n", o->name, KMQTT_VERSION);
	printf("Usage: %s %s%s", o->name, synopsis, all_synopsis);
	printf("       %s --help\n\n", o->name);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].tools & o->tool)
			fputs(texts[i].text, stdout);
}
