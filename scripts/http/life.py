"""An order's life with the client that openapi-python-client makes: life.py ADDRESS KEY."""

import sys

from generated import AuthenticatedClient
from generated.api.access import create_share
from generated.api.couriers import create_courier
from generated.api.orders import assign_courier, cancel_order, create_order, get_order, update_order_status
from generated.api.tracking import get_order_events, track_order
from generated.models import (
    Assignment,
    Cancellation,
    Customer,
    Draft,
    DraftDropoff,
    NewCourier,
    NewShare,
    Problem,
    StatusChange,
    StatusChangeStatus,
)


def main(address, key):
    client = AuthenticatedClient(base_url=address, token=key)
    draft = Draft(customer=Customer(name="Anna"), dropoff=DraftDropoff(address="Main St 1"))
    order = create_order.sync(client=client, body=draft, idempotency_key="life-py")
    again = create_order.sync(client=client, body=draft, idempotency_key="life-py")
    assert order.id == again.id and order.status == "created", (order, again)
    courier = create_courier.sync(client=client, body=NewCourier(name="Ivan"))
    assigned = assign_courier.sync(order.id, client=client, body=Assignment(courier_id=courier.id), if_match='"v1"')
    assert assigned.courier_id == courier.id
    refused = cancel_order.sync(order.id, client=client, body=Cancellation(), if_match='"v1"')
    assert isinstance(refused, Problem) and refused.code == "version_conflict", refused
    for step in "at_pickup", "picked_up", "out_for_delivery", "at_dropoff", "delivered":
        moved = update_order_status.sync(order.id, client=client, body=StatusChange(status=StatusChangeStatus(step)))
        assert moved.status == step, moved
    refused = cancel_order.sync(order.id, client=client, body=Cancellation(reason="too late"))
    assert isinstance(refused, Problem) and refused.status == 409, refused
    track = track_order.sync(order.id, client=client)
    events = get_order_events.sync(order.id, client=client).events
    assert track.status == "delivered" and len(track.timeline) == len(events) == 7
    share = create_share.sync(order.id, client=client, body=NewShare())
    customer = AuthenticatedClient(base_url=address, token=share.token)
    assert get_order.sync(order.id, client=customer).status == "delivered"
    other = create_order.sync(client=client, body=draft)
    assert cancel_order.sync(other.id, client=client, body=Cancellation(reason="twice")).status == "cancelled"
    print("python: an order's life")


main(*sys.argv[1:])
