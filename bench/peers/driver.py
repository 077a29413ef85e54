"""One store of other hands, of the folder stores, driven by the Go program beside this file.

    driver.py STORE FOLDER

FOLDER holds base.f32, query.f32 and shape.json, rows of unit length. Commands come as
lines of JSON on the standard input, each is answered by one line on the standard
output; contender.go says which there are.
"""

import importlib
import json
import os
import sys
import time

import numpy as np

STORE, FOLDER = sys.argv[1:3]
BATCH = 128
SAME = 1 - 1e-6  # the cosine above which two vectors are one
with open(os.path.join(FOLDER, "shape.json")) as f:
    DIM = json.load(f)["dim"]


def read(name):
    return np.fromfile(os.path.join(FOLDER, name), "<f4").reshape(-1, DIM)


def anonymous():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("RssAnon"):
                return int(line.split()[1]) << 10


def finds(store, base, ef, row):
    """Whether a search by a row's own vector finds it first, or another that was
    written with the same vector."""
    own = base[row % len(base)]
    found = list(store.search(own, ef))
    return len(found) > 0 and float(base[int(found[0]) % len(base)] @ own) > SAME


class Driver:
    def __init__(self, base, queries):
        self.base, self.queries = base, queries
        self.store = importlib.import_module("stores." + STORE.replace("-", "_")).Store()
        self.before = anonymous()

    def open(self, ask):
        start = time.perf_counter()
        self.store.open(ask["path"], DIM, ask["payloads"])
        right = ask["row"] < 0 or finds(self.store, self.base, 64, ask["row"])
        return {"seconds": time.perf_counter() - start, "right": bool(right)}

    def insert(self, ask):
        say = {"seconds": 0.0, "visible": [], "late": 0, "missed": 0}
        for n, first in enumerate(range(0, ask["rows"], BATCH)):
            rows = self.base[first:min(first + BATCH, ask["rows"])]
            start = time.perf_counter()
            self.store.insert(first, rows, ask["durable"])
            say["seconds"] += time.perf_counter() - start
            if ask["probe"] and n % ask["probe"] == ask["probe"] - 1:
                start, newest = time.perf_counter(), first + len(rows) - 1
                found = finds(self.store, self.base, 64, newest)
                say["late"] += not found
                while not found and time.perf_counter() - start < 2:
                    found = finds(self.store, self.base, 64, newest)
                say["missed"] += not found
                say["visible"].append(time.perf_counter() - start)
        return say

    def finish(self, ask):
        start = time.perf_counter()
        self.store.finish()
        return {"seconds": time.perf_counter() - start}

    def search(self, ask):
        rows, times = [], []
        self.store.search(self.queries[0], ask["ef"])  # so that the change to this beam is not counted
        for query in self.queries:
            start = time.perf_counter()
            found = self.store.search(query, ask["ef"])
            times.append(time.perf_counter() - start)
            rows.append([int(i) for i in found])
        return {"rows": rows, "times": times}

    def memory(self, ask):
        return {"anonymous": anonymous() - self.before}

    def pour(self, ask):
        """Writes batches over and over, says so after each, and never ends."""
        done = 0
        while True:
            rows = self.base[np.arange(done, done + BATCH) % len(self.base)]
            self.store.insert(done, rows, ask["durable"])
            done += len(rows)
            print(json.dumps({"acked": done}), flush=True)

    def check(self, ask):
        missing = sum(not self.store.has(i) for i in range(ask["rows"]))
        say = {"missing": missing, "unfound": 0, "sample": 0}
        start = time.perf_counter()
        for i in np.random.default_rng(1).permutation(ask["rows"])[:400]:
            say["sample"] += 1
            say["unfound"] += not finds(self.store, self.base, 100, int(i))
            if time.perf_counter() - start > 5:
                break
        return say

    def close(self, ask):
        self.store.close()
        return {}


def main():
    try:
        driver = Driver(read("base.f32"), read("query.f32"))
    except Exception as error:  # it does not import
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            say = getattr(driver, ask["do"])(ask)
        except Exception as error:  # what a store raises is its answer
            say = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(say), flush=True)


main()
