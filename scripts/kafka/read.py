"""Reads the product's topics with kafka-python until each has every order: BROKERS IDS."""
import json
import sys

from kafka import KafkaConsumer

brokers, orders = sys.argv[1].split(","), set(open(sys.argv[2]).read().split())
consumer = KafkaConsumer(
    "order_created", "order_updated", bootstrap_servers=brokers, auto_offset_reset="earliest", consumer_timeout_ms=30000,
)
missing = {"order_created": set(orders), "order_updated": set(orders)}
for record in consumer:
    if record.key is None or record.key.decode() not in orders:
        continue  # another test's
    event = json.loads(record.value)
    assert record.key.decode() == event["order_id"] == event["order"]["id"], event
    assert dict(record.headers)["ce_type"].decode() == "ordertracking." + event["type"], record.headers
    missing[record.topic].discard(event["order_id"])
    if not any(missing.values()):
        break
consumer.close()
assert not any(missing.values()), missing
print("kafka-python read", len(orders), "orders of each topic")
