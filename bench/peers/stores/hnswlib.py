"""An index in memory, saved when it is told to."""

import os

import hnswlib
import numpy as np

from . import EF_CONSTRUCTION, K, M


class Store:
    def open(self, path, dim, payloads):
        self.path, self.index = path, hnswlib.Index("ip", dim)
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
