#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0
// What mqtt-packet, the decoder of MQTT.js, makes of packets, against what kmqtt makes of them.
//
//   differ NUMBER | differ.js NODE_MODULES
//
// A packet that kmqtt takes must be taken there, and say the same. What kmqtt refuses may be taken
// there: mqtt-packet leaves much to its user. TAP.
'use strict'

const fs = require('fs')
const path = require('path')
const mqttPacket = require(path.join(process.argv[2], 'mqtt-packet'))

// Its names of the properties, in the order of the identifiers; those of numbers alone.
const PROPS = {
  payloadFormatIndicator: 0x01, messageExpiryInterval: 0x02, contentType: 0x03,
  responseTopic: 0x08, correlationData: 0x09, subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11, assignedClientIdentifier: 0x12, serverKeepAlive: 0x13,
  authenticationMethod: 0x15, authenticationData: 0x16, requestProblemInformation: 0x17,
  willDelayInterval: 0x18, requestResponseInformation: 0x19, responseInformation: 0x1a,
  serverReference: 0x1c, reasonString: 0x1f, receiveMaximum: 0x21, topicAliasMaximum: 0x22,
  topicAlias: 0x23, maximumQoS: 0x24, retainAvailable: 0x25, userProperties: 0x26,
  maximumPacketSize: 0x27, wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifiersAvailable: 0x29, sharedSubscriptionAvailable: 0x2a
}

// What it refuses though the standard does not: each with the reason.
const KNOWN = [
  // 3.1 leaves open what reserved bits are, has DUP elsewhere than in PUBLISH, and lets what a
  // CONNECT's flags promise be missing
  [3, /^(CONNECT|CONNACK|PUBREL|SUBSCRIBE|UNSUBSCRIBE) /,
    /Connect flag bit 0|Cannot parse (username|password)|Invalid connack flags|Invalid header flag|Will (QoS|Retain Flag) must/],
  // 5.0, 3.15.2.1: a success without properties may be left out
  [5, /^AUTH reason=0$/, /Invalid auth reason code/],
  // 5.0, table 2-6: Bad authentication method may stand in a DISCONNECT
  [5, /^DISCONNECT .*reason=140/, /Invalid disconnect reason code/]
]

const hex = (value) => value === null ? 'null' : Buffer.from(value).toString('hex')
const list = (value) => Array.isArray(value) ? value : [value]

function value (id, one) {
  return typeof one === 'string' || Buffer.isBuffer(one) ? hex(one) : String(Number(one))
}

// Sorted, since mqtt-packet does not keep the order.
function props (prefix, all) {
  const out = []
  for (const [name, val] of Object.entries(all || {})) {
    const id = PROPS[name].toString(16).padStart(2, '0')
    if (name === 'userProperties') {
      for (const [key, vals] of Object.entries(val)) {
        out.push(...list(vals).map((one) => `${prefix}${id}=${hex(key)}:${hex(one)}`))
      }
    } else {
      out.push(...list(val).map((one) => `${prefix}${id}=${value(id, one)}`))
    }
  }
  return out
}

function connect (p) {
  const out = [`keepalive=${p.keepalive}`, `clean=${Number(p.clean)}`, `client=${hex(p.clientId)}`]
  if (p.username !== undefined) out.push(`user=${hex(p.username)}`)
  if (p.password !== undefined) out.push(`password=${hex(p.password)}`)
  if (p.will) {
    out.push(`willqos=${p.will.qos}`, `willretain=${Number(p.will.retain)}`,
      `willtopic=${hex(p.will.topic)}`, `will=${hex(p.will.payload)}`,
      ...props('w', p.will.properties))
  }
  return out
}

function filters (p, version) {
  return p.subscriptions.map((s) => `filter=${hex(s.topic)}:${s.qos}` + (version === 5
    ? `${Number(s.nl)}${Number(s.rap)}${s.rh}`
    : '000'))
}

const FIELDS = {
  connect,
  // 3.1 has no Session Present
  connack: (p, v) => [`present=${v === 3 ? 0 : Number(p.sessionPresent)}`,
    `reason=${v === 5 ? p.reasonCode : p.returnCode}`],
  publish: (p) => [`qos=${p.qos}`, `dup=${Number(p.dup)}`, `retain=${Number(p.retain)}`,
    `id=${p.messageId || 0}`, `topic=${hex(p.topic)}`, `payload=${hex(p.payload)}`],
  subscribe: (p, v) => [`id=${p.messageId}`, ...filters(p, v)],
  unsubscribe: (p) => [`id=${p.messageId}`, ...p.unsubscriptions.map((f) => `filter=${hex(f)}`)],
  suback: (p) => [`id=${p.messageId}`, `codes=${hex(p.granted)}`],
  unsuback: (p) => [`id=${p.messageId}`, ...(p.granted && p.granted.length ? [`codes=${hex(p.granted)}`] : [])],
  disconnect: (p) => [`reason=${p.reasonCode || 0}`],
  auth: (p) => [`reason=${p.reasonCode || 0}`],
  pingreq: () => [],
  pingresp: () => []
}
const ack = (p) => [`id=${p.messageId}`, `reason=${p.reasonCode || 0}`]

function decode (version, bytes) {
  let packet, error
  const parser = mqttPacket.parser({ protocolVersion: version })
  parser.on('packet', (p) => { packet = p })
  parser.on('error', (e) => { error = e })
  try {
    parser.parse(bytes)
  } catch (e) {
    error = e
  }
  if (error || !packet) return `refused: ${error ? error.message : 'incomplete'}`
  const fields = (FIELDS[packet.cmd] || ack)(packet, version)
  return [packet.cmd.toUpperCase(), ...[...fields, ...props('p', packet.properties)].sort()].join(' ')
}

const isKnown = (version, ours, theirs) => KNOWN.some(([v, us, them]) =>
  v === version && us.test(ours) && them.test(theirs))

const count = { same: 0, refused: 0, lenient: 0, known: 0, different: 0 }
for (const line of fs.readFileSync(0, 'latin1').split('\n').filter((l) => l)) {
  const [version, packet, name, ...fields] = line.split(' ')
  const ours = [name, ...fields.sort()].join(' ')
  const theirs = decode(Number(version), Buffer.from(packet, 'hex'))
  if (ours === theirs) count.same++
  else if (name === 'refused') count[theirs.startsWith('refused') ? 'refused' : 'lenient']++
  else if (isKnown(Number(version), ours, theirs)) count.known++
  else if (++count.different <= 20) console.log(`# ${version} ${packet}\n#   ${ours}\n#   ${theirs}`)
}
const good = count.same > 100 && !count.different
console.log(`${good ? 'ok' : 'not ok'} 1 - fuzz differ: ${count.same} packets say the same to ` +
  `mqtt-packet, ${count.refused} are refused by both, ${count.lenient} by kmqtt alone, ` +
  `${count.known} by mqtt-packet for a known reason, ${count.different} differ\n1..1`)
process.exit(good ? 0 : 1)
