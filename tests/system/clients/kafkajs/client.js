/*
 * kafkajs: topic, produce, consume in a group, administrate.
 *
 *     client.js MODULES BOOTSTRAP TOPIC GROUP COUNT WRITES READS
 *
 * WRITES and READS get one line an operation, as tests/system/rig/check.py reads them.
 * LOGIN=aws logs in with AWS's signer and the AWS_* variables, LOGIN=plain with LOGIN_USER and
 * LOGIN_SECRET; CA_FILE means TLS.
 */
'use strict'

const fs = require('fs')
const path = require('path')

const [modules, bootstrap, topic, group, countText, writes, reads] = process.argv.slice(2)
const { Kafka, logLevel, Partitioners } = require(path.join(modules, 'kafkajs'))
const count = Number(countText)
const partitions = 6
const kafka = new Kafka({ clientId: group, brokers: bootstrap.split(','), logLevel: logLevel.ERROR, ...login() })

function login() {
  const settings = {}
  if (process.env.CA_FILE) settings.ssl = { ca: [fs.readFileSync(process.env.CA_FILE, 'utf-8')] }
  if (process.env.LOGIN === 'plain') {
    settings.sasl = { mechanism: 'plain', username: process.env.LOGIN_USER, password: process.env.LOGIN_SECRET }
  }
  if (process.env.LOGIN === 'aws') {
    const { generateAuthToken } = require(path.join(modules, 'aws-msk-iam-sasl-signer-js'))
    const oauthBearerProvider = async () => ({ value: (await generateAuthToken({ region: process.env.AWS_REGION })).token })
    settings.sasl = { mechanism: 'oauthbearer', oauthBearerProvider }
  }
  return settings
}

async function makeTopic(admin) {
  // waitForLeaders gives up at the first broker that has not heard of the topic yet.
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 3 }], waitForLeaders: false, timeout: 30000 })
  for (const end = Date.now() + 30000; ; await new Promise((done) => setTimeout(done, 50))) {
    const seen = await admin.fetchTopicMetadata({ topics: [topic] }).catch((e) => {
      if (e.type !== 'UNKNOWN_TOPIC_OR_PARTITION' && e.type !== 'LEADER_NOT_AVAILABLE') throw e
    })
    if (seen && seen.topics[0].partitions.length === partitions) return
    if (Date.now() > end) throw new Error('partitions: ' + JSON.stringify(seen))
  }
}

async function produce() {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner })
  const out = fs.createWriteStream(writes)
  await producer.connect()
  for (let seq = 0; seq < count;) {
    const messages = []
    const first = {}
    for (let i = 0; i < 300 && seq < count; i++, seq++) {
      const partition = seq % partitions
      first[partition] = first[partition] || []
      first[partition].push(seq)
      messages.push({ key: 'k' + seq, value: `${topic}/${partition}/kafkajs/${seq}/c`, partition })
    }
    for (const r of await producer.send({ topic, acks: -1, messages })) {
      const base = Number(r.baseOffset)
      first[r.partition].forEach((n, i) => out.write(`A ${n} ${topic} ${r.partition} ${base + i}\n`))
      delete first[r.partition]
    }
    if (Object.keys(first).length > 0) throw new Error('no reply for partitions ' + Object.keys(first))
  }
  await producer.disconnect()
  await new Promise((done) => out.end(done))
}

async function consume() {
  const out = fs.createWriteStream(reads)
  const places = new Set()
  const members = [kafka.consumer({ groupId: group }), kafka.consumer({ groupId: group })]
  let finish
  const all = new Promise((done, fail) => {
    finish = done
    setTimeout(() => fail(new Error(`${places.size} records of ${count}`)), 90000).unref()
  })
  for (const member of members) {
    await member.connect()
    await member.subscribe({ topics: [topic], fromBeginning: true })
    await member.run({
      eachMessage: async ({ partition, message }) => {
        out.write(`R ${topic} ${partition} ${message.offset} ${message.value}\n`)
        places.add(`${partition}@${message.offset}`)
        if (places.size >= count) finish()
      },
    })
  }
  await all
  for (const member of members) await member.disconnect()
  await new Promise((done) => out.end(done))
}

async function main() {
  const admin = kafka.admin()
  await admin.connect()
  await makeTopic(admin)
  await produce()
  await consume()
  const listed = await admin.listGroups()
  if (!listed.groups.some((g) => g.groupId === group)) throw new Error('the group is not listed')
  const described = await admin.describeGroups([group])
  if (described.groups[0].errorCode !== 0) throw new Error(JSON.stringify(described))
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  if (!offsets[0].partitions.some((p) => Number(p.offset) > 0)) throw new Error('offsets: ' + JSON.stringify(offsets))
  await admin.deleteGroups([group])
  const ends = await admin.fetchTopicOffsets(topic)
  if (ends.reduce((sum, p) => sum + Number(p.high), 0) !== count) throw new Error('ends: ' + JSON.stringify(ends))
  await admin.disconnect()
}

main().then(() => process.exit(0), (e) => {
  console.error(e)
  process.exit(1)
})
