"""Exact; one transaction a batch. Durable: synchronous=FULL, else NORMAL."""

import json
import os

import apsw  # this Python's own sqlite3 may not load extensions
import sqlite_vec

from . import K, payload


class Store:
    def open(self, path, dim, payloads):
        os.makedirs(path, exist_ok=True)
        self.payloads, self.durable = payloads, None
        self.db = apsw.Connection(os.path.join(path, "points.db"))
        self.db.enable_load_extension(True)
        self.db.load_extension(sqlite_vec.loadable_path())
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS points USING vec0("
                        f"id INTEGER PRIMARY KEY, vector FLOAT[{dim}] distance_metric=cosine, +payload TEXT)")

    def insert(self, first, rows, durable):
        if durable != self.durable:
            self.db.execute("PRAGMA synchronous=" + ("FULL" if durable else "NORMAL"))
            self.durable = durable
        values = [(i, row.tobytes(), json.dumps(payload(i)) if self.payloads else None) for i, row in enumerate(rows, first)]
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
