// SPDX-License-Identifier: GPL-2.0
/* The agent of MQTT.js; see agent.h for what it is told and tells. NODE_PATH says where that is. */
"use strict";

const mqtt = require("mqtt");
const path = require("path");
const readline = require("readline");

const clients = {};

function tell(...words) {
	process.stdout.write(words.join(" ") + "\n");
}

function options(words) {
	const out = {};

	for (const word of words) {
		const at = word.indexOf("=");

		out[word.slice(0, at)] = word.slice(at + 1);
	}
	return out;
}

function payloadOf(word) {
	if (!word)
		return "";
	return word[0] === "*" ? Buffer.alloc(Number(word.slice(1)), "x") : word;
}

function propsOf(o) {
	const props = {};

	if (o.content)
		props.contentType = o.content;
	if (o.response)
		props.responseTopic = o.response;
	if (o.correlation)
		props.correlationData = Buffer.from(o.correlation);
	if (o.user)
		props.userProperties = Object.fromEntries([o.user.split(":")]);
	if (o.expiry)
		props.messageExpiryInterval = Number(o.expiry);
	return props;
}

/* A payload that is no word is told by its length and the sum of its bytes. */
function payloadText(payload) {
	if (!payload.length)
		return "-";
	if (payload.length < 100 && !payload.includes(0))
		return payload.toString();
	return `*${payload.length}:${payload.reduce((sum, byte) => sum + byte, 0)}`;
}

function propsText(p) {
	const out = [];

	if (p.contentType)
		out.push(`content=${p.contentType}`);
	if (p.responseTopic)
		out.push(`response=${p.responseTopic}`);
	if (p.correlationData)
		out.push(`correlation=${p.correlationData}`);
	for (const [name, value] of Object.entries(p.userProperties || {}))
		out.push(`user=${name}:${value}`);
	if (p.messageExpiryInterval)
		out.push(`expiry=${p.messageExpiryInterval}`);
	if (p.subscriptionIdentifier)
		out.push(`sub_id=${p.subscriptionIdentifier}`);
	return out;
}

function connect(name, o) {
	const version = Number(o.version || 5);
	const how = {
		protocolId: version === 3 ? "MQIsdp" : "MQTT",
		protocolVersion: version,
		clientId: o.id || "",
		clean: o.clean !== "0",
		username: o.login,
		password: o.password,
		reconnectPeriod: 0,
		connectTimeout: 60000,
		properties: version === 5 ? {} : undefined,
	};

	if (version === 5 && o.session)
		how.properties.sessionExpiryInterval = Number(o.session);
	if (o.topic)
		how.will = {
			topic: o.topic, payload: payloadOf(o.payload), qos: Number(o.qos || 0),
			retain: o.retain === "1", properties: version === 5 ? propsOf(o) : undefined,
		};
	const client = mqtt.connect("mqtt://127.0.0.1:1883", how);
	let up = false;

	clients[name] = { client, version };
	client.on("connect", (ack) => {
		const id = ack.properties && ack.properties.assignedClientIdentifier;

		up = true;
		tell("connected", name, `code=${ack.reasonCode || ack.returnCode || 0}`,
		     `present=${ack.sessionPresent ? 1 : 0}`, `id=${id || ""}`);
	});
	client.on("error", (error) => {
		if (!up)
			tell("connected", name, `code=${error.code}`, "present=0", "id=");
		else
			tell("error", name, error.message);
	});
	client.on("disconnect", () => {});
	client.on("close", () => {
		if (up)
			tell("disconnected", name, `code=${client.disconnecting ? 0 : 1}`);
	});
	client.on("message", (topic, payload, packet) => {
		tell("message", name, topic, packet.qos, packet.retain ? 1 : 0, payloadText(payload),
		     ...propsText(packet.properties || {}));
	});
}

function subscribe(name, o) {
	const { client, version } = clients[name];
	const how = { qos: Number(o.qos || 0) };

	if (version === 5) {
		how.nl = o.no_local === "1";
		if (o.sub_id)
			how.properties = { subscriptionIdentifier: Number(o.sub_id) };
	}
	client.subscribe(o.filter, how, (error, granted) => {
		tell("subscribed", name, `code=${error ? error.code || 128 : granted[0].qos}`);
	});
}

function publish(name, o) {
	const { client, version } = clients[name];
	const how = { qos: Number(o.qos || 0), retain: o.retain === "1" };

	if (version === 5)
		how.properties = propsOf(o);
	client.publish(o.topic, payloadOf(o.payload), how, (error, packet) => {
		tell("published", name, `code=${error ? error.code : packet && packet.reasonCode || 0}`);
	});
}

const commands = {
	connect, subscribe, publish,
	unsubscribe: (name, o) => clients[name].client.unsubscribe(o.filter,
								  () => tell("unsubscribed", name)),
	disconnect: (name) => clients[name].client.end(),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
	const [command, name, ...words] = line.split(" ");

	commands[command](name, options(words));
}).on("close", () => process.exit(0));

const top = path.join(path.dirname(require.resolve("mqtt")), "..");

tell("version", require(path.join(top, "package.json")).version);
