"""One library of other hands, measured by the Go program beside this file.

    peers.py LIBRARY SET FOLDER CACHE

FOLDER holds the real sets, CACHE what was built before. Commands come as lines of
JSON on the standard input, each is answered by one line on the standard output;
rival.go says which there are. Searches ask all queries in one call, on one thread,
so that no time of Python's is counted, and searches are measured in
processor time, so that the machine's other work counts less, builds by the clock.
"""

import gzip
import json
import os
import sys
import time

import numpy as np

LIBRARY, SET, FOLDER, CACHE = sys.argv[1:5]
M, EF_CONSTRUCTION, K = 16, 200, 10
L2 = SET.startswith("mnist")


def read(name):
    kind = "u8bin" if L2 else "f16bin"
    with gzip.open(os.path.join(FOLDER, SET, f"{name}.{kind}.gz")) as f:
        raw = f.read()
    n, dim = np.frombuffer(raw, "<u4", 2)
    rows = np.frombuffer(raw, "u1" if L2 else "<f2", offset=8).reshape(n, dim)
    rows = rows.astype("float32")
    if not L2:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows)


def anonymous():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("RssAnon"):
                return int(line.split()[1]) << 10


class Hnswlib:
    def __init__(self, dim):
        import hnswlib
        self.make = lambda: hnswlib.Index("l2" if L2 else "ip", dim)

    def build(self, rows, threads):
        self.index = self.make()
        self.index.init_index(len(rows), M=M, ef_construction=EF_CONSTRUCTION, random_seed=100)
        self.index.add_items(rows, num_threads=threads)

    def save(self, path):
        self.index.save_index(path)

    def load(self, path):
        self.index = self.make()
        self.index.load_index(path)

    def search(self, queries, ef):
        self.index.set_ef(ef)
        return self.index.knn_query(queries, k=K, num_threads=1)[0]


class Faiss:
    def __init__(self, dim):
        import faiss
        self.faiss, self.dim = faiss, dim
        self.metric = faiss.METRIC_L2 if L2 else faiss.METRIC_INNER_PRODUCT

    def make(self):
        return self.faiss.IndexHNSWFlat(self.dim, M, self.metric)

    def build(self, rows, threads):
        self.faiss.omp_set_num_threads(threads)
        self.index = self.make()
        self.index.hnsw.efConstruction = EF_CONSTRUCTION
        self.index.train(rows)
        self.index.add(rows)

    def save(self, path):
        self.faiss.write_index(self.index, path)

    def load(self, path):
        self.index = self.faiss.read_index(path)

    def search(self, queries, ef):
        self.faiss.omp_set_num_threads(1)
        self.index.hnsw.efSearch = ef
        return self.index.search(queries, K)[1]


class FaissSQ8(Faiss):
    def make(self):
        return self.faiss.IndexHNSWSQ(self.dim, self.faiss.ScalarQuantizer.QT_8bit, M, self.metric)


class Usearch:
    def __init__(self, dim):
        from usearch.index import Index
        self.make = lambda: Index(ndim=dim, metric="l2sq" if L2 else "ip", dtype="f32", connectivity=M,
                                  expansion_add=EF_CONSTRUCTION, expansion_search=K)

    def build(self, rows, threads):
        self.index = self.make()
        self.index.add(np.arange(len(rows)), rows, threads=threads)

    def save(self, path):
        self.index.save(path)

    def load(self, path):
        self.index = self.make()
        self.index.load(path)

    def search(self, queries, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, K, threads=1).keys


LIBRARIES = {"hnswlib": Hnswlib, "faiss": Faiss, "faiss-sq8": FaissSQ8, "usearch": Usearch}


def main():
    queries = read("query")
    library = LIBRARIES[LIBRARY](queries.shape[1])
    for line in sys.stdin:
        ask = json.loads(line)
        say = {}
        if ask["do"] == "load":
            path = os.path.join(CACHE, f"{LIBRARY}-{SET}")
            if not os.path.exists(path):
                rows = read("base")
                start = time.perf_counter()
                library.build(rows, ask["threads"])
                say["seconds"] = time.perf_counter() - start
                library.save(path)
            else:
                before = anonymous()
                library.load(path)
                library.search(queries, 64)
                say["anonymous"] = anonymous() - before
        elif ask["do"] == "build":
            rows = read("base")[: ask["rows"]]
            start = time.perf_counter()
            library.build(rows, ask["threads"])
            say["seconds"] = time.perf_counter() - start
        elif ask["do"] == "search":
            some = queries[: ask["queries"]] if ask["queries"] else queries
            start = time.process_time()
            for _ in range(ask["times"]):
                found = library.search(some, ask["ef"])
            say["seconds"] = time.process_time() - start
            say["rows"] = np.asarray(found).astype("int64").clip(min=0).tolist() if ask["answers"] else None
        print(json.dumps(say), flush=True)


main()
