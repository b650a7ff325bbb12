// Reads the product's topics with KafkaJS until each has every order: BROKERS IDS.
import assert from 'node:assert'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { Kafka, logLevel } = createRequire(process.cwd() + '/')('kafkajs')
const brokers = process.argv[2].split(',')
const orders = new Set(readFileSync(process.argv[3], 'utf8').trim().split('\n'))
const missing = { order_created: new Set(orders), order_updated: new Set(orders) }
const consumer = new Kafka({ brokers, logLevel: logLevel.ERROR }).consumer({ groupId: `read-js-${process.pid}-${Date.now()}` })
const late = setTimeout(() => assert.fail(`missing ${JSON.stringify(Object.values(missing).map((ids) => ids.size))}`), 60000)

await consumer.connect()
await consumer.subscribe({ topics: Object.keys(missing), fromBeginning: true })
await new Promise((done, failed) =>
  consumer.run({
    eachMessage: async ({ topic, message }) => {
      const key = message.key?.toString()
      if (!orders.has(key)) return // another test's
      try {
        const event = JSON.parse(message.value)
        assert.equal(event.order_id, key)
        assert.equal(event.order.id, key)
        assert.equal(message.headers.ce_type.toString(), 'ordertracking.' + event.type)
        missing[topic].delete(key)
      } catch (err) {
        failed(err)
      }
      if (Object.values(missing).every((ids) => ids.size === 0)) done()
    },
  }),
)
clearTimeout(late)
await consumer.disconnect()
console.log('KafkaJS read', orders.size, 'orders of each topic')
