"""An index in memory, saved when it is told to."""

import os

import numpy as np
from usearch.index import Index

from . import EF_CONSTRUCTION, K, M


class Store:
    def open(self, path, dim, payloads):
        self.path = path
        self.index = Index(ndim=dim, metric="ip", dtype="f32", connectivity=M, expansion_add=EF_CONSTRUCTION)
        if os.path.exists(path):
            self.index.load(path)

    def insert(self, first, rows, durable):
        self.index.add(np.arange(first, first + len(rows)), rows, threads=os.cpu_count())

    def finish(self):
        self.index.save(self.path)

    def search(self, query, ef):
        self.index.expansion_search = ef
        return self.index.search(query, K, threads=1).keys

    def has(self, i):
        return i in self.index

    def close(self):
        self.index.save(self.path)
