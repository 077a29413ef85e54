"""An index of other hands under a sliding window, driven by the Go program beside this
file.

    window.py INDEX FOLDER CAPACITY

FOLDER holds base.f32, query.f32 and shape.json. Commands come as lines of JSON on the
standard input, each is answered by one line on the standard output. An id is a row, or
a row and a multiple of the number of rows. One thread.
"""

import json
import os
import sys
import time

import numpy as np

INDEX, FOLDER, CAPACITY = sys.argv[1], sys.argv[2], int(sys.argv[3])
K, M, EF_CONSTRUCTION = 10, 16, 200
with open(os.path.join(FOLDER, "shape.json")) as f:
    DIM = json.load(f)["dim"]


def read(name):
    return np.fromfile(os.path.join(FOLDER, name), "<f4").reshape(-1, DIM)


class Hnswlib:
    """Deleted elements are marked, and their places taken by new ones."""

    def __init__(self):
        import hnswlib
        self.index = hnswlib.Index("l2", DIM)
        self.index.init_index(CAPACITY, M=M, ef_construction=EF_CONSTRUCTION, random_seed=100, allow_replace_deleted=True)

    def insert(self, ids, rows):
        self.index.add_items(rows, ids, num_threads=1, replace_deleted=True)

    def delete(self, ids):
        for i in ids:
            self.index.mark_deleted(i)

    def search(self, queries, ef):
        self.index.set_ef(ef)
        return self.index.knn_query(queries, k=K, num_threads=1)[0]


class Usearch:
    """remove() frees the place of a key for the next one."""

    def __init__(self):
        from usearch.index import Index
        self.index = Index(ndim=DIM, metric="l2sq", dtype="f32", connectivity=M, expansion_add=EF_CONSTRUCTION)

    def insert(self, ids, rows):
        self.index.add(ids, rows, threads=1)

    def delete(self, ids):
        self.index.remove(ids, threads=1)

    def search(self, queries, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, K, threads=1).keys


def main():
    base, queries = read("base.f32"), read("query.f32")
    index = {"hnswlib": Hnswlib, "usearch": Usearch}[INDEX]()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        ids = np.arange(ask["from"], ask["to"])
        start, say = time.perf_counter(), {}
        if ask["do"] == "insert":
            index.insert(ids, base[ids % len(base)])
        elif ask["do"] == "delete":
            index.delete(ids)
        else:
            found = index.search(queries, ask["ef"])
            say["rows"] = np.asarray(found).astype("int64").clip(min=0).tolist()
        say["seconds"] = time.perf_counter() - start
        print(json.dumps(say), flush=True)


main()
