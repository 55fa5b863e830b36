#!/usr/bin/env python3
"""Writes incident.log: the access log of nginx in front of two synthetic services, of which one has an incident.

The same seed writes the same bytes. Addresses are from the ranges that are reserved for documentation.
"""
import datetime
import pathlib
import random

random.seed(20)
BEGIN = datetime.datetime(2026, 3, 2, 9, 0, tzinfo=datetime.timezone.utc)
SHOP, SEARCH = "192.0.2.10:8080", "192.0.2.20:8080"
LENGTH = 150  # seconds


def answer(upstream, at):
    """The status and the seconds of a call to a service."""
    if upstream == SHOP and 50 <= at < 90:  # down: each call waits for the timeout
        return (504, 2.0) if random.random() < 0.95 else (200, random.uniform(0.5, 1.8))
    if upstream == SHOP and 90 <= at < 100:  # recovering: answers, but late
        return (200, random.uniform(0.8, 1.6)) if random.random() < 0.8 else (502, 0.05)
    if random.random() < 0.004:
        return 502, 0.02
    return 200, random.lognormvariate(-3.2, 0.5)


lines = []
for upstream, rate, path in ((SHOP, 6, "/cart/{}"), (SEARCH, 2, "/search?q={}")):
    at = 0.0
    while (at := at + random.expovariate(rate)) < LENGTH:
        status, took = answer(upstream, at)
        end = at + took
        time = (BEGIN + datetime.timedelta(seconds=int(end))).strftime("%d/%b/%Y:%H:%M:%S +0000")
        client = f"203.0.113.{random.randrange(1, 250)}"
        request = f"GET {path.format(random.randrange(1000))} HTTP/1.1"
        size = 512 if status == 200 else 157
        line = f'{client} - - [{time}] "{request}" {status} {size} "-" "example/1.0" rt={took:.3f} upstream={upstream}'
        lines.append((end, line))
lines.sort()
out = pathlib.Path(__file__).with_name("incident.log")
out.write_text("".join(line + "\n" for _, line in lines))
