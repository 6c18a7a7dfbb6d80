#!/usr/bin/env python3
"""Writes a small shop for demonstrations: the same rows for the same seed and scale, as files for COPY.

Into the folder: schema.sql (tables), distribute.sql (what sherd is told about them), load.sql (psql's \\copy lines), and
customers, orders, order_lines, events, countries as .copy files in COPY's text format.
About a million rows at scale 1.0. Needs only Python's standard library; country names come from Debian's iso-codes.

Usage: demo_data.py FOLDER [--scale 1.0] [--seed 1]
"""

import argparse
import json
import random
import sys
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path

COUNTRIES = Path("/usr/share/iso-codes/json/iso_3166-1.json")
CUSTOMERS, ORDERS, LINES, EVENTS = 60_000, 200_000, 440_000, 300_000  # at scale 1.0

SCHEMA = """\
CREATE TABLE countries (
  code char(2) PRIMARY KEY,
  code3 char(3) NOT NULL,
  name text NOT NULL
);
CREATE TABLE customers (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  city text NOT NULL,
  country char(2) NOT NULL,
  created_at timestamptz NOT NULL,
  balance numeric(12, 2) NOT NULL DEFAULT 0
);
CREATE TABLE orders (
  customer_id bigint NOT NULL,
  id bigint NOT NULL,
  status text NOT NULL,
  ordered_at timestamptz NOT NULL,
  total numeric(12, 2) NOT NULL,
  PRIMARY KEY (customer_id, id)
);
CREATE TABLE order_lines (
  customer_id bigint NOT NULL,
  order_id bigint NOT NULL,
  line integer NOT NULL,
  product text NOT NULL,
  quantity integer NOT NULL,
  price numeric(10, 2) NOT NULL,
  PRIMARY KEY (customer_id, order_id, line)
);
CREATE TABLE events (
  customer_id bigint NOT NULL,
  id bigint NOT NULL,
  kind text NOT NULL,
  at timestamptz NOT NULL,
  detail jsonb NOT NULL,
  PRIMARY KEY (customer_id, id)
);
CREATE INDEX orders_ordered_at ON orders (ordered_at);
CREATE INDEX events_at ON events (at);
"""

DISTRIBUTE = """\
SELECT create_reference_table('countries');
SELECT create_distributed_table('customers', 'id');
SELECT create_distributed_table('orders', 'customer_id', colocate_with => 'customers');
SELECT create_distributed_table('order_lines', 'customer_id', colocate_with => 'customers');
SELECT create_distributed_table('events', 'customer_id', colocate_with => 'customers');
"""

TABLES = ("countries", "customers", "orders", "order_lines", "events")

FIRST = """Ada Adam Aino Alba Alejandro Amara Amélie Anna Anton Aria Arthur Ayşe Beatriz Bo Carla Chen Chiara Clara Daniel Diego
Ebba Elena Eli Emil Emma Fatima Felix Finn Freya Gabriel Greta Hana Hannah Hugo Ida Ines Ivan Jakob Jana João José Julia Kai
Karin Kofi Lara Lars Leila Leo Lena Lucía Luis Magnus Maja Marco Maria Mateo Maya Mehmet Mia Milan Mina Mohamed Nadia Nils
Noah Noor Nora Olga Oscar Otto Paula Pedro Petra Priya Rafael Rosa Sam Sara Sigrid Sofia Stefan Sven Tariq Tomás Vera Viktor
Wei Yara Yuki Yusuf Zoé Zuzana""".split()
LAST = """Almeida Andersen Bauer Becker Bianchi Björk Braun Carvalho Castro Chen Conti Costa Da_Silva Dubois Eriksson Fernández
Ferrari Fischer Fontaine García Greco Gruber Haas Hansen Hoffmann Horváth Ivanov Jansen Jensen Johansson Kaya Keller Kim Klein
Koch Kowalski Kumar Lambert Larsen Laurent Lehmann Li López Marino Martin Mayer Meyer Moreau Moretti Müller Nagy Nguyen Nielsen
Novák Nowak O'Brien Olsen Özdemir Papadopoulos Pereira Petit Petrov Popescu Ricci Rossi Roux Russo Sánchez Santos Sato Schmidt
Schneider Schwarz Silva Singh Sørensen Stein Suzuki Svensson Tanaka Torres Van_Dijk Vogel Wagner Wang Weber Wolf Yılmaz Zhang
Zimmermann""".split()
CITIES = (
    ("Berlin", "DE"), ("Hamburg", "DE"), ("München", "DE"), ("Paris", "FR"), ("Lyon", "FR"), ("Madrid", "ES"), ("Sevilla", "ES"),
    ("Lisboa", "PT"), ("Porto", "PT"), ("Roma", "IT"), ("Milano", "IT"), ("Wien", "AT"), ("Zürich", "CH"), ("Amsterdam", "NL"),
    ("Utrecht", "NL"), ("Bruxelles", "BE"), ("København", "DK"), ("Stockholm", "SE"), ("Göteborg", "SE"), ("Oslo", "NO"),
    ("Helsinki", "FI"), ("Tallinn", "EE"), ("Warszawa", "PL"), ("Kraków", "PL"), ("Praha", "CZ"), ("Brno", "CZ"),
    ("Budapest", "HU"), ("București", "RO"), ("Athína", "GR"), ("İstanbul", "TR"), ("Dublin", "IE"), ("London", "GB"),
    ("Edinburgh", "GB"), ("New York", "US"), ("Austin", "US"), ("Toronto", "CA"), ("São Paulo", "BR"), ("Buenos Aires", "AR"),
    ("Tokyo", "JP"), ("Osaka", "JP"), ("Seoul", "KR"), ("Singapore", "SG"), ("Mumbai", "IN"), ("Pune", "IN"), ("Sydney", "AU"),
    ("Auckland", "NZ"), ("Nairobi", "KE"), ("Accra", "GH"),
)
MAIL = ("example.com", "example.org", "example.net", "mail.example", "post.example")
PRODUCTS = tuple(
    f"{what} {kind}" for what in ("oak", "steel", "linen", "wool", "glass", "copper", "paper", "cork", "clay", "bamboo")
    for kind in ("desk", "lamp", "chair", "blanket", "bottle", "notebook", "kettle", "frame", "basket", "bowl", "shelf", "clock")
)
STATUS = ("new", "paid", "packed", "sent", "delivered", "delivered", "delivered", "returned", "cancelled")
KINDS = ("login", "view", "view", "view", "search", "cart", "cart", "checkout", "review", "logout")
START = datetime(2022, 1, 1)
SPAN_SECONDS = 3 * 365 * 86_400


def ascii_mail(text):
    """A name as it would stand in a mail address."""
    plain = unicodedata.normalize("NFKD", text.lower()).replace("ø", "o").replace("ı", "i").replace("ł", "l")
    return "".join(c for c in plain if c.isascii() and c.isalnum())


def stamps(rng, count):
    """`count` points in time as texts, in random order; formatted by pieces, since strftime is slow."""
    days = [(START + timedelta(days=d)).strftime("%Y-%m-%d") for d in range(SPAN_SECONDS // 86_400)]
    clock = [f" {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}+00" for s in range(86_400)]
    pick = rng.randrange
    return [days[n // 86_400] + clock[n % 86_400] for n in (pick(SPAN_SECONDS) for _ in range(count))]


def money(cents):
    return f"{cents // 100}.{cents % 100:02}"


def busy_customer(rng, customers):
    """Some customers order much more than others: the square of a uniform number."""
    return int(rng.random() ** 2 * customers) + 1


def write(folder, table, lines):
    with open(folder / f"{table}.copy", "w", encoding="utf-8", newline="\n") as out:
        out.write("\n".join(lines))
        out.write("\n")
    return len(lines)


def countries(folder):
    entries = json.loads(COUNTRIES.read_text(encoding="utf-8"))["3166-1"]
    rows = sorted(f"{e['alpha_2']}\t{e['alpha_3']}\t{e.get('common_name', e['name'])}" for e in entries)
    return write(folder, "countries", rows)


def customers(folder, rng, count):
    mails = {name: ascii_mail(name) for name in FIRST + LAST}
    when = stamps(rng, count)
    rows = []
    for i in range(1, count + 1):
        first, last = rng.choice(FIRST), rng.choice(LAST)
        city, country = rng.choice(CITIES)
        rows.append(
            f"{i}\t{first} {last.replace('_', ' ')}\t{mails[first]}.{mails[last]}{i}@{rng.choice(MAIL)}\t{city}\t{country}\t"
            f"{when[i - 1]}\t{money(rng.randrange(200_000))}"
        )
    return write(folder, "customers", rows)


def orders_and_lines(folder, rng, count, line_count, customer_count):
    """Orders with one line or more each; an order's total is the sum of its lines."""
    when = stamps(rng, count)
    prices = [(product, 300 + 97 * n * n % 24_000) for n, product in enumerate(PRODUCTS)]
    extra = [0] * count
    for _ in range(line_count - count):
        extra[rng.randrange(count)] += 1
    orders, lines = [], []
    for i in range(1, count + 1):
        customer, total = busy_customer(rng, customer_count), 0
        for line in range(1, 2 + extra[i - 1]):
            product, price = rng.choice(prices)
            quantity = 1 + int(rng.random() ** 3 * 6)
            total += quantity * price
            lines.append(f"{customer}\t{i}\t{line}\t{product}\t{quantity}\t{money(price)}")
        orders.append(f"{customer}\t{i}\t{rng.choice(STATUS)}\t{when[i - 1]}\t{money(total)}")
    return write(folder, "orders", orders), write(folder, "order_lines", lines)


def events(folder, rng, count, customer_count):
    when = stamps(rng, count)
    rows = []
    for i in range(1, count + 1):
        kind = rng.choice(KINDS)
        detail = f'{{"page": {rng.randrange(400)}, "ms": {rng.randrange(5, 900)}}}'
        rows.append(f"{busy_customer(rng, customer_count)}\t{i}\t{kind}\t{when[i - 1]}\t{detail}")
    return write(folder, "events", rows)


def main():
    parser = argparse.ArgumentParser(description="Writes demonstration data for COPY.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.scale <= 0:
        parser.error("--scale must be above 0")
    if not COUNTRIES.exists():
        print(f"demo_data: {COUNTRIES} is missing; install the package iso-codes", file=sys.stderr)
        return 1
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    scaled = [max(1, round(n * options.scale)) for n in (CUSTOMERS, ORDERS, LINES, EVENTS)]
    total = countries(folder)
    total += customers(folder, random.Random(f"{options.seed} customers"), scaled[0])
    total += sum(orders_and_lines(folder, random.Random(f"{options.seed} orders"), scaled[1], scaled[2], scaled[0]))
    total += events(folder, random.Random(f"{options.seed} events"), scaled[3], scaled[0])
    (folder / "schema.sql").write_text(SCHEMA)
    (folder / "distribute.sql").write_text(DISTRIBUTE)
    (folder / "load.sql").write_text("".join(f"\\copy {t} FROM '{t}.copy'\n" for t in TABLES))
    print(f"demo_data: {total} rows in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
