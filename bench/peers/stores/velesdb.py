"""Indexed as it is written; flush_full() also writes the graph."""

import numpy as np
import velesdb

from . import EF_CONSTRUCTION, K, M, payload


class Store:
    def open(self, path, dim, payloads):
        self.payloads = payloads
        self.db = velesdb.Database(path)
        hnsw = velesdb.HnswOptions(m=M, ef_construction=EF_CONSTRUCTION)
        self.points = self.db.get_or_create_collection("points", dimension=dim, metric="cosine", hnsw=hnsw)

    def insert(self, first, rows, durable):
        ids = list(range(first, first + len(rows)))
        carried = [payload(i) for i in ids] if self.payloads else None
        self.points.upsert_bulk_numpy(np.ascontiguousarray(rows), ids, carried)
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
