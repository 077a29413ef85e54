"""Indexed as it is written; each batch is a transaction of SQLite's."""

import chromadb

from . import EF_CONSTRUCTION, K, M, payload


class Store:
    def open(self, path, dim, payloads):
        self.path, self.payloads = path, payloads
        self.reopen()

    def reopen(self):
        chromadb.api.client.SharedSystemClient.clear_system_cache()
        client = chromadb.PersistentClient(self.path, chromadb.Settings(anonymized_telemetry=False))
        hnsw = {"space": "cosine", "max_neighbors": M, "ef_construction": EF_CONSTRUCTION, "ef_search": 64}
        self.points = client.get_or_create_collection("points", configuration={"hnsw": hnsw}, embedding_function=None)
        self.ef = self.points.configuration["hnsw"]["ef_search"]

    def insert(self, first, rows, durable):
        ids = range(first, first + len(rows))
        carried = [payload(i) for i in ids] if self.payloads else None
        self.points.add(ids=[str(i) for i in ids], embeddings=rows, metadatas=carried)

    def finish(self):
        pass

    def search(self, query, ef):
        if ef != self.ef:  # it is read when the index is
            self.points.modify(configuration={"hnsw": {"ef_search": ef}})
            self.reopen()
        return [int(i) for i in self.points.query(query_embeddings=[query], n_results=K, include=[])["ids"][0]]

    def has(self, i):
        return len(self.points.get([str(i)], include=[])["ids"]) == 1

    def close(self):
        pass
