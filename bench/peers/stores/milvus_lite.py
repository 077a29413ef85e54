"""flush() makes a segment and load() its graph; until then it scans."""

from milvus_lite import CollectionSchema, DataType, FieldSchema, MilvusLite

from . import EF_CONSTRUCTION, K, M, payload

FIELDS = {"title": DataType.VARCHAR, "section": DataType.INT64, "words": DataType.INT64, "lang": DataType.VARCHAR,
          "rank": DataType.DOUBLE}


class Store:
    def open(self, path, dim, payloads):
        self.payloads, self.db = payloads, MilvusLite(path)
        if self.db.has_collection("points"):
            self.points = self.db.get_collection("points")
            self.points.load()
            return
        kinds = FIELDS if payloads else {}
        fields = [FieldSchema(name=name, dtype=kind, max_length=200) if kind == DataType.VARCHAR else FieldSchema(name=name, dtype=kind)
                  for name, kind in kinds.items()]
        schema = CollectionSchema(fields=[FieldSchema(name="id", dtype=DataType.INT64, is_primary=True),
                                          FieldSchema(name="vector", dtype=DataType.FLOAT_VECTOR, dim=dim), *fields])
        self.points = self.db.create_collection("points", schema)
        self.points.create_index("vector", {"index_type": "HNSW", "metric_type": "COSINE",
                                            "params": {"M": M, "efConstruction": EF_CONSTRUCTION}})
        self.points.load()

    def insert(self, first, rows, durable):
        self.points.insert([{"id": i, "vector": row.tolist(), **(payload(i) if self.payloads else {})}
                            for i, row in enumerate(rows, first)])

    def finish(self):
        self.points.flush()
        self.points.load()

    def search(self, query, ef):
        found = self.points.search([query.tolist()], top_k=K, metric_type="COSINE", output_fields=[], search_params={"ef": ef})
        return [hit["id"] for hit in found[0]]

    def has(self, i):
        return len(self.points.get([i], output_fields=["id"])) == 1

    def close(self):
        self.db.close()
