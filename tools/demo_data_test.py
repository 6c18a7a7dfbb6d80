#!/usr/bin/env python3
"""Self-test of demo_data.py: the same rows each time, and rows that fit together."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parent / "demo_data.py"


def written(seed):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, TOOL, folder, "--scale", "0.005", "--seed", str(seed)], check=True, capture_output=True)
        return {path.name: path.read_text(encoding="utf-8") for path in Path(folder).iterdir()}


def rows(files, table):
    return [line.split("\t") for line in files[f"{table}.copy"].splitlines()]


@unittest.skipUnless(Path("/usr/share/iso-codes/json/iso_3166-1.json").exists(), "package iso-codes is missing")
class DemoData(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = written(1)

    def test_same_seed_gives_the_same_files(self):
        self.assertEqual(self.files, written(1))

    def test_another_seed_gives_other_rows(self):
        self.assertNotEqual(self.files["customers.copy"], written(2)["customers.copy"])

    def test_keys_are_unique_and_refer_to_rows_that_exist(self):
        customers = {row[0] for row in rows(self.files, "customers")}
        orders = {(row[0], row[1]) for row in rows(self.files, "orders")}
        lines = [(row[0], row[1]) for row in rows(self.files, "order_lines")]
        self.assertEqual(len(customers), 300)
        self.assertEqual(len(orders), 1000)
        self.assertEqual({customer for customer, _ in orders} - customers, set())
        self.assertEqual(set(lines), orders)
        self.assertEqual({row[0] for row in rows(self.files, "events")} - customers, set())

    def test_total_of_an_order_is_the_sum_of_its_lines(self):
        cents = lambda text: int(text.replace(".", ""))
        sums = {}
        for customer, order, _, _, quantity, price in rows(self.files, "order_lines"):
            sums[order] = sums.get(order, 0) + int(quantity) * cents(price)
        for _, order, _, _, total in rows(self.files, "orders"):
            self.assertEqual(cents(total), sums[order])

    def test_mail_addresses_are_plain_ascii(self):
        for row in rows(self.files, "customers"):
            self.assertRegex(row[2], r"^[a-z]+\.[a-z]+\d+@[a-z.]+$")


if __name__ == "__main__":
    unittest.main()
