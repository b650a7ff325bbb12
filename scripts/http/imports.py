"""Imports 8 MB of NDJSON: imports.py ADDRESS KEY.

Nothing is answered while the file is still being sent (proxies cut such an answer), and once
it is there every row is taken."""

import http.client
import json
import select
import sys
import urllib.parse

ROWS = 4_000
HALF = ROWS // 2
NOTES = "x" * 1_900


def row(number):
    return json.dumps({"customer": {"name": "Anna"}, "dropoff": {"address": f"Main St {number}"}, "notes": NOTES}).encode() + b"\n"


def main(address, key):
    host = urllib.parse.urlsplit(address).netloc
    rows = [row(number) for number in range(ROWS)]
    upload, other = http.client.HTTPConnection(host, timeout=300), http.client.HTTPConnection(host, timeout=60)
    upload.putrequest("POST", "/orders/import")
    upload.putheader("Authorization", "Bearer " + key)
    upload.putheader("Content-Type", "application/x-ndjson")
    upload.putheader("Content-Length", str(sum(map(len, rows))))
    upload.endheaders()
    upload.send(b"".join(rows[:HALF]))
    for _ in range(50):  # whoever answers at once has had the time for it
        other.request("GET", "/orders?page_size=1", headers={"Authorization": "Bearer " + key})
        assert other.getresponse().read()
        assert not select.select([upload.sock], [], [], 0)[0], "the answer began before the file was sent"
    upload.send(b"".join(rows[HALF:]))
    answer = upload.getresponse()
    last = json.loads(answer.read().splitlines()[-1])
    assert answer.status == 200 and last["finished"] and last["created"] == ROWS, (answer.status, last)
    print(f"import: {ROWS} rows after the upload")


main(*sys.argv[1:])
