// SPDX-License-Identifier: GPL-2.0
/* Through a process in the middle: Mosquitto with libmosquitto, dbus-daemon with libdbus. */
#include <dbus/dbus.h>
#include <mosquitto.h>

#include "ways.h"

static struct mosquitto *client;
static DBusConnection *bus;

static void on_message(struct mosquitto *mosq, void *obj, const struct mosquitto_message *msg)
{
	struct count *c = obj;

	(void)mosq;
	(void)msg;
	c->got++;
}

static void on_connect(struct mosquitto *mosq, void *obj, int rc)
{
	(void)obj;
	if (rc || mosquitto_subscribe(mosq, NULL, TOPIC, 0))
		exit(1);
}

static void on_subscribe(struct mosquitto *mosq, void *obj, int mid, int n, const int *qos)
{
	struct count *c = obj;

	(void)mosq;
	(void)mid;
	(void)n;
	(void)qos;
	c->ready = 1;
}

static struct mosquitto *connected(void *obj)
{
	struct mosquitto *mosq;

	mosquitto_lib_init();
	mosq = mosquitto_new(NULL, true, obj);
	if (!mosq)
		die("mosquitto_new");
	mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
	if (obj) {
		mosquitto_connect_callback_set(mosq, on_connect);
		mosquitto_subscribe_callback_set(mosq, on_subscribe);
		mosquitto_message_callback_set(mosq, on_message);
	}
	if (mosquitto_connect(mosq, "127.0.0.1", MOSQUITTO_PORT, 600))
		die("mosquitto_connect");
	return mosq;
}

static void mosquitto_reader(struct count *c, int number, long total)
{
	struct mosquitto *mosq = connected(c);

	(void)number;
	while (c->got < total)
		if (mosquitto_loop(mosq, 1000, 1))
			die("mosquitto_loop");
}

static void mosquitto_open(void)
{
	client = connected(NULL);
	/* CONNACK */
	mosquitto_loop(client, 1000, 1);
}

static void mosquitto_write(int count)
{
	static const char payload[PAYLOAD];

	while (count--)
		if (mosquitto_publish(client, NULL, TOPIC, PAYLOAD, payload, 0, false))
			die("mosquitto_publish");
	mosquitto_loop(client, 0, 1);
}

/* The address is in DBUS_SESSION_BUS_ADDRESS. */
static DBusConnection *on_the_bus(void)
{
	DBusConnection *c = dbus_bus_get_private(DBUS_BUS_SESSION, NULL);

	if (!c)
		die("D-Bus");
	return c;
}

static void dbus_reader(struct count *c, int number, long total)
{
	DBusMessage *m;

	(void)number;
	bus = on_the_bus();
	dbus_bus_add_match(bus, "type='signal',interface='org.kmqtt.Bench'", NULL);
	dbus_connection_flush(bus);
	c->ready = 1;
	while (c->got < total && dbus_connection_read_write(bus, -1)) {
		while ((m = dbus_connection_pop_message(bus))) {
			c->got += dbus_message_is_signal(m, "org.kmqtt.Bench", "Message");
			dbus_message_unref(m);
		}
	}
}

static void dbus_open(void)
{
	bus = on_the_bus();
}

static void dbus_write(int count)
{
	static const char payload[PAYLOAD], *bytes = payload;
	DBusMessage *m;

	while (count--) {
		m = dbus_message_new_signal("/bench/local", "org.kmqtt.Bench", "Message");
		if (!m || !dbus_message_append_args(m, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes,
						    PAYLOAD, DBUS_TYPE_INVALID) ||
		    !dbus_connection_send(bus, m, NULL))
			die("D-Bus");
		dbus_message_unref(m);
	}
	dbus_connection_flush(bus);
}

const struct way bus_ways[] = {
	{ "mosquitto", NULL, mosquitto_reader, mosquitto_open, mosquitto_write },
	{ "dbus", NULL, dbus_reader, dbus_open, dbus_write },
	{ 0 },
};
