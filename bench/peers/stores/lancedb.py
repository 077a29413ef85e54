"""create_index() builds IVF over graphs of 8-bit codes; exact vectors re-rank."""

import lancedb
import numpy as np
import pyarrow
from lancedb.index import HnswSq

from . import EF_CONSTRUCTION, K, M, payload

FIELDS = {"title": pyarrow.string(), "section": pyarrow.int64(), "words": pyarrow.int64(), "lang": pyarrow.string(),
          "rank": pyarrow.float64()}


class Store:
    def open(self, path, dim, payloads):
        self.dim, self.fields, self.ids = dim, FIELDS if payloads else {}, None
        self.schema = pyarrow.schema([("id", pyarrow.int64()), *self.fields.items(),
                                      ("vector", pyarrow.list_(pyarrow.float32(), dim))])
        db = lancedb.connect(path)
        try:
            self.table = db.open_table("points")
        except ValueError:
            self.table = db.create_table("points", schema=self.schema)

    def insert(self, first, rows, durable):
        ids = np.arange(first, first + len(rows))
        carried = [payload(int(i)) for i in ids]
        flat = pyarrow.array(np.ascontiguousarray(rows).ravel())
        vectors = pyarrow.FixedSizeListArray.from_arrays(flat, self.dim)
        columns = [ids, *([p[name] for p in carried] for name in self.fields), vectors]
        self.table.add(pyarrow.table(columns, schema=self.schema))

    def finish(self):
        self.table.optimize()
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
