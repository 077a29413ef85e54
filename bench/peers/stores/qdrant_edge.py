"""flush() writes to disk, optimize() builds the graph."""

import os

import qdrant_edge as q

from . import EF_CONSTRUCTION, K, M, payload


class Store:
    def open(self, path, dim, payloads):
        self.payloads = payloads
        hnsw = q.HnswIndexConfig(m=M, ef_construct=EF_CONSTRUCTION, full_scan_threshold=100)
        vectors = q.EdgeVectorParams(size=dim, distance=q.Distance.Cosine)
        config = q.EdgeConfig(vectors=vectors, hnsw_config=hnsw,
                              optimizers=q.EdgeOptimizersConfig(indexing_threshold=1000, default_segment_number=1))
        fresh = not os.path.exists(path)
        os.makedirs(path, exist_ok=True)
        self.shard = q.EdgeShard.create(path, config) if fresh else q.EdgeShard.load(path)

    def insert(self, first, rows, durable):
        points = [q.Point(i, row.tolist(), payload(i) if self.payloads else {}) for i, row in enumerate(rows, first)]
        self.shard.update(q.UpdateOperation.upsert_points(points))
        if durable:
            self.shard.flush()

    def finish(self):
        self.shard.optimize()
        self.shard.flush()

    def search(self, query, ef):
        request = q.SearchRequest(query=q.Query.Nearest(query.tolist()), limit=K, params=q.SearchParams(hnsw_ef=ef))
        return [p.id for p in self.shard.search(request)]

    def has(self, i):
        return len(self.shard.retrieve([i], False, False)) == 1

    def close(self):
        self.shard.close()
