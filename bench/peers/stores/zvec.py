"""flush() writes to disk, optimize() builds the graph; until then it scans."""

import os

import zvec

from . import EF_CONSTRUCTION, K, M, payload

FIELDS = {"title": zvec.DataType.STRING, "section": zvec.DataType.INT64, "words": zvec.DataType.INT64,
          "lang": zvec.DataType.STRING, "rank": zvec.DataType.DOUBLE}


class Store:
    def open(self, path, dim, payloads):
        self.payloads = payloads
        if os.path.exists(path):
            self.points = zvec.open(path)
            return
        hnsw = zvec.HnswIndexParam(metric_type=zvec.MetricType.COSINE, m=M, ef_construction=EF_CONSTRUCTION)
        fields = [zvec.FieldSchema(name, kind, nullable=True) for name, kind in FIELDS.items()]
        vector = zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, dim, index_param=hnsw)
        self.points = zvec.create_and_open(path, zvec.CollectionSchema("points", fields=fields, vectors=vector))

    def insert(self, first, rows, durable):
        docs = [zvec.Doc(id=str(i), vectors={"vector": row}, fields=payload(i) if self.payloads else None)
                for i, row in enumerate(rows, first)]
        for status in self.points.upsert(docs):
            if not status.ok():
                raise RuntimeError(status.message())
        if durable:
            self.points.flush()

    def finish(self):
        self.points.optimize()
        self.points.flush()

    def search(self, query, ef):
        asked = zvec.Query("vector", vector=query, param=zvec.HnswQueryParam(ef=ef))
        return [int(doc.id) for doc in self.points.query(asked, topk=K, output_fields=[])]

    def has(self, i):
        return len(self.points.fetch(str(i), output_fields=[], include_vector=False)) == 1

    def close(self):
        self.points.close()
