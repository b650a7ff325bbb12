"""Sends bodies that the server refuses before it reads them, and reads each refusal.

usage: refusals.py ADDRESS KEY ORDER

With urllib and with requests. One that can't be read is a failure."""

import json
import sys
import urllib.error
import urllib.request

import requests

MB = 1_000_000
SIZES = [int(1.1 * MB), 3 * MB, 5 * MB, 7_500_000]
JSON = "application/json"


def refusals(key, order):
    """Yields (status, code, method, path, headers, make(size))."""
    text = b'{"customer":{"name":"A"},"dropoff":{"address":"x"},"notes":"'
    big = lambda size: text + b"x" * (size - len(text) - 2) + b'"}'
    table = lambda size: b"customer.name,what.is.this\n" + b"Anna,1\n" * (size // 7)
    bearer = {"Authorization": "Bearer " + key}
    yield 401, "unauthenticated", "POST", "/order", {"Content-Type": JSON, "Authorization": "Bearer nobody"}, big
    yield 404, "not_found", "POST", "/nowhere", {**bearer, "Content-Type": JSON}, big
    yield 405, "method_not_allowed", "PUT", f"/order/{order}", {**bearer, "Content-Type": JSON}, big
    yield 413, "too_large", "POST", "/order", {**bearer, "Content-Type": JSON}, big
    yield 415, "unsupported_media_type", "POST", "/order", {**bearer, "Content-Type": JSON, "Content-Encoding": "br"}, big
    yield 415, "unsupported_media_type", "POST", "/orders/import", {**bearer, "Content-Type": "image/png"}, big
    yield 422, "validation_failed", "POST", "/orders/import", {**bearer, "Content-Type": "text/csv"}, table
    yield 401, "unauthenticated", "POST", "/orders/import", {"Content-Type": "text/csv"}, table


def with_urllib(method, url, headers, body):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def with_requests(method, url, headers, body):
    answer = requests.request(method, url, headers=headers, data=body, timeout=60)
    return answer.status_code, answer.content


def main(address, key, order):
    failed = tried = 0
    for client in with_urllib, with_requests:
        for size in SIZES:
            for status, code, method, path, headers, make in refusals(key, order):
                tried += 1
                try:
                    got, text = client(method, address + path, headers, make(size))
                    if got == status and json.loads(text)["code"] == code:
                        continue
                    said = f"{got} {text[:200]!r}"
                except (OSError, ValueError) as error:
                    said = repr(error)
                failed += 1
                print(f"{client.__name__}: {method} {path} of {size} bytes: {said} instead of {status} {code}", file=sys.stderr)
    print(f"python: {tried - failed} of {tried} refusals read")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
