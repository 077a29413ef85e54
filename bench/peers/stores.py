"""One store of other hands, driven by the Go program beside this file.

    stores.py STORE FOLDER

FOLDER holds base.f32, query.f32 and shape.json, rows of unit length. Commands come as
lines of JSON on the standard input, each is answered by one line on the standard
output; contender.go says which there are.
"""

import json
import os
import sys
import time

import numpy as np

STORE, FOLDER = sys.argv[1:3]
BATCH, K, M, EF_CONSTRUCTION = 128, 10, 16, 200
with open(os.path.join(FOLDER, "shape.json")) as f:
    DIM = json.load(f)["dim"]


def read(name):
    return np.fromfile(os.path.join(FOLDER, name), "<f4").reshape(-1, DIM)


def payload(i):
    return {"section": i % 9, "lang": "en"}


class Hnswlib:
    """An index in memory, saved when it is told to."""

    def open(self, path):
        import hnswlib
        self.path, self.index = path, hnswlib.Index("ip", DIM)
        if os.path.exists(path):
            self.index.load_index(path)
        else:
            self.index.init_index(200_000, M=M, ef_construction=EF_CONSTRUCTION, random_seed=100)

    def insert(self, first, rows, durable):
        self.index.add_items(rows, np.arange(first, first + len(rows)))

    def finish(self):
        self.index.save_index(self.path)

    def search(self, query, ef):
        if self.index.get_current_count() < K:
            return []
        self.index.set_ef(ef)
        return self.index.knn_query(query, k=K, num_threads=1)[0][0]

    def has(self, i):
        try:
            self.index.get_items([i])
            return True
        except RuntimeError:
            return False

    def close(self):
        self.index.save_index(self.path)


class Usearch:
    """An index in memory, saved when it is told to."""

    def open(self, path):
        from usearch.index import Index
        self.path = path
        self.index = Index(ndim=DIM, metric="ip", dtype="f32", connectivity=M, expansion_add=EF_CONSTRUCTION)
        if os.path.exists(path):
            self.index.load(path)

    def insert(self, first, rows, durable):
        self.index.add(np.arange(first, first + len(rows)), rows, threads=os.cpu_count())

    def finish(self):
        self.index.save(self.path)

    def search(self, query, ef):
        self.index.expansion_search = ef
        return self.index.search(query, K).keys

    def has(self, i):
        return i in self.index

    def close(self):
        self.index.save(self.path)


class QdrantEdge:
    """flush() writes to disk, optimize() builds the graph."""

    def open(self, path):
        import qdrant_edge as q
        self.q = q
        hnsw = q.HnswIndexConfig(m=M, ef_construct=EF_CONSTRUCTION, full_scan_threshold=100)
        vectors = q.EdgeVectorParams(size=DIM, distance=q.Distance.Cosine)
        config = q.EdgeConfig(vectors=vectors, hnsw_config=hnsw,
                              optimizers=q.EdgeOptimizersConfig(indexing_threshold=1000, default_segment_number=1))
        fresh = not os.path.exists(path)
        os.makedirs(path, exist_ok=True)
        self.shard = q.EdgeShard.create(path, config) if fresh else q.EdgeShard.load(path)

    def insert(self, first, rows, durable):
        points = [self.q.Point(first + i, row.tolist(), payload(first + i)) for i, row in enumerate(rows)]
        self.shard.update(self.q.UpdateOperation.upsert_points(points))
        if durable:
            self.shard.flush()

    def finish(self):
        self.shard.optimize()
        self.shard.flush()

    def search(self, query, ef):
        request = self.q.SearchRequest(query=self.q.Query.Nearest(query.tolist()), limit=K,
                                       params=self.q.SearchParams(hnsw_ef=ef))
        return [p.id for p in self.shard.search(request)]

    def has(self, i):
        return len(self.shard.retrieve([i], False, False)) == 1

    def close(self):
        self.shard.close()


class LanceDB:
    """create_index() builds IVF over graphs of 8-bit codes; exact vectors re-rank."""

    def open(self, path):
        import lancedb
        import pyarrow
        self.arrow, self.db, self.ids = pyarrow, lancedb.connect(path), None
        self.schema = pyarrow.schema([("id", pyarrow.int64()), ("section", pyarrow.int64()), ("lang", pyarrow.string()),
                                      ("vector", pyarrow.list_(pyarrow.float32(), DIM))])
        try:
            self.table = self.db.open_table("points")
        except ValueError:
            self.table = self.db.create_table("points", schema=self.schema)

    def insert(self, first, rows, durable):
        ids = np.arange(first, first + len(rows))
        flat = self.arrow.array(np.ascontiguousarray(rows).ravel())
        vectors = self.arrow.FixedSizeListArray.from_arrays(flat, DIM)
        self.table.add(self.arrow.table([ids, ids % 9, ["en"] * len(rows), vectors], schema=self.schema))

    def finish(self):
        self.table.optimize()
        from lancedb.index import HnswSq
        self.table.create_index("vector", config=HnswSq(distance_type="cosine", num_partitions=1, m=M,
                                                        ef_construction=EF_CONSTRUCTION))

    def search(self, query, ef):
        asked = self.table.search(query).distance_type("cosine").limit(K).select(["id", "_distance"])
        return asked.nprobes(1).ef(max(2 * K, ef)).refine_factor(2).to_arrow()["id"].to_pylist()

    def has(self, i):
        if self.ids is None:  # at once, for a question of its own takes milliseconds
            self.ids = set(self.table.to_arrow()["id"].to_pylist())
        return i in self.ids

    def close(self):
        pass


class SqliteVec:
    """Exact; one transaction a batch. Durable: synchronous=FULL, else NORMAL."""

    def open(self, path):
        import apsw  # this Python's own sqlite3 may not load extensions
        import sqlite_vec
        os.makedirs(path, exist_ok=True)
        self.db = apsw.Connection(os.path.join(path, "points.db"))
        self.db.enable_load_extension(True)
        self.db.load_extension(sqlite_vec.loadable_path())
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS points USING vec0("
                        f"id INTEGER PRIMARY KEY, vector FLOAT[{DIM}] distance_metric=cosine, +payload TEXT)")
        self.durable = None

    def insert(self, first, rows, durable):
        if durable != self.durable:
            self.db.execute("PRAGMA synchronous=" + ("FULL" if durable else "NORMAL"))
            self.durable = durable
        values = [(first + i, row.tobytes(), json.dumps(payload(first + i))) for i, row in enumerate(rows)]
        with self.db:
            self.db.executemany("INSERT INTO points(id, vector, payload) VALUES (?, ?, ?)", values)

    def finish(self):
        pass

    def search(self, query, ef):
        found = self.db.execute("SELECT id FROM points WHERE vector MATCH ? AND k = ? ORDER BY distance", (query.tobytes(), K))
        return [row[0] for row in found]

    def has(self, i):
        return len(list(self.db.execute("SELECT id FROM points WHERE id = ?", (i,)))) == 1

    def close(self):
        self.db.close()


class VelesDB:
    """Indexed as it is written; flush_full() also writes the graph."""

    def open(self, path):
        import velesdb
        self.db = velesdb.Database(path)
        hnsw = velesdb.HnswOptions(m=M, ef_construction=EF_CONSTRUCTION)
        self.points = self.db.get_or_create_collection("points", dimension=DIM, metric="cosine", hnsw=hnsw)

    def insert(self, first, rows, durable):
        ids = list(range(first, first + len(rows)))
        self.points.upsert_bulk_numpy(np.ascontiguousarray(rows), ids, [payload(i) for i in ids])
        if durable:
            self.points.flush()

    def finish(self):
        self.points.flush_full()

    def search(self, query, ef):
        return [r["id"] for r in self.points.search_with_ef(query, K, max(16, ef))]

    def has(self, i):
        return self.points.get([i])[0] is not None

    def close(self):
        self.points.close()


STORES = {"hnswlib": Hnswlib, "usearch": Usearch, "qdrant-edge": QdrantEdge, "lancedb": LanceDB,
          "sqlite-vec": SqliteVec, "velesdb": VelesDB}


def anonymous():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("RssAnon"):
                return int(line.split()[1]) << 10


def finds(store, base, ef, row):
    """Whether a search by a row's own vector finds it first, or another that was
    written with the same vector."""
    found = list(store.search(base[row % len(base)], ef))
    return len(found) > 0 and int(found[0]) % len(base) == row % len(base)


class Driver:
    def __init__(self, base, queries):
        self.base, self.queries, self.store = base, queries, STORES[STORE]()
        self.before = anonymous()

    def open(self, ask):
        start = time.perf_counter()
        self.store.open(ask["path"])
        right = ask["row"] < 0 or finds(self.store, self.base, 64, ask["row"])
        return {"seconds": time.perf_counter() - start, "right": bool(right)}

    def insert(self, ask):
        say = {"seconds": 0.0, "visible": [], "missed": 0}
        for n, first in enumerate(range(0, ask["rows"], BATCH)):
            rows = self.base[first:min(first + BATCH, ask["rows"])]
            start = time.perf_counter()
            self.store.insert(first, rows, ask["durable"])
            say["seconds"] += time.perf_counter() - start
            if ask["probe"] and n % ask["probe"] == ask["probe"] - 1:
                start, found = time.perf_counter(), False
                while not found and time.perf_counter() - start < 2:
                    found = finds(self.store, self.base, 64, first + len(rows) - 1)
                say["missed"] += not found
                say["visible"].append(time.perf_counter() - start)
        return say

    def finish(self, ask):
        start = time.perf_counter()
        self.store.finish()
        return {"seconds": time.perf_counter() - start}

    def search(self, ask):
        rows, times = [], []
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
        step = max(1, ask["rows"] // 400)
        missing = sum(not self.store.has(i) for i in range(ask["rows"]))
        sample = [i for i in range(0, ask["rows"], step)]
        unfound = sum(not finds(self.store, self.base, 100, i) for i in sample)
        return {"missing": missing, "unfound": unfound, "sample": len(sample)}

    def close(self, ask):
        self.store.close()
        return {}


def main():
    driver = Driver(read("base.f32"), read("query.f32"))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            say = getattr(driver, ask["do"])(ask)
        except Exception as error:  # what a store raises is its answer
            say = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(say), flush=True)


main()
