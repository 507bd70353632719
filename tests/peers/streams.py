"""Streams of a folder: gzip CSV with a header, the target last, classes 0, 1, 2 …; a column is nominal when a value of it
is not a number."""
import csv
import gzip
from pathlib import Path

# Bits for drift detectors, no examples.
NOT_A_STREAM = {"drift_streams"}


class Stream:
    def __init__(self, path, rows_max=None):
        self.path = Path(path)
        self.name = self.path.name.removesuffix(".csv.gz")
        with gzip.open(path, "rt", newline="") as file:
            reader = csv.reader(file)
            self.columns = next(reader)[:-1]
            table = [row for _, row in zip(range(rows_max or 1 << 40), reader)]
        self.targets = [int(float(row[-1])) for row in table]
        self.classes = max(self.targets) + 1
        self.nominal = [not all(is_number(row[column]) for row in table) for column in range(len(self.columns))]
        self.rows = [
            [value if nominal else float(value) for value, nominal in zip(row, self.nominal)] for row in table
        ]

    def __len__(self):
        return len(self.rows)


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def paths(folder):
    found = sorted(Path(folder).glob("*.csv.gz"))
    return [path for path in found if path.name.removesuffix(".csv.gz") not in NOT_A_STREAM]
