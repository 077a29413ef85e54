"""qdrant-edge under filters, measured by the Go program beside this file.

    filters.py LIBRARY SET FOLDER CACHE

Commands come as lines of JSON on the standard input, each is answered by one line on
the standard output; rival.go says which there are. One query is one call, requests are
made before the clock starts, and time is the processor's, all threads together.
LIBRARY is qdrant-edge; what is asked says whether by its ACORN search.
"""

import gzip
import json
import os
import sys
import time

import numpy as np
import qdrant_edge as qe

LIBRARY, SET, FOLDER, CACHE = sys.argv[1:5]
M, EF_CONSTRUCTION, K = 16, 200, 10
FIELDS = {"package": qe.PayloadSchemaType.Keyword, "section": qe.PayloadSchemaType.Keyword, "words": qe.PayloadSchemaType.Integer}


def read(name):
    with gzip.open(os.path.join(FOLDER, SET, f"{name}.f16bin.gz")) as f:
        raw = f.read()
    n, dim = np.frombuffer(raw, "<u4", 2)
    return np.frombuffer(raw, "<f2", offset=8).reshape(n, dim).astype("float32")


def config(dim):
    return qe.EdgeConfig(
        vectors=qe.EdgeVectorParams(dim, qe.Distance.Cosine),
        hnsw_config=qe.HnswIndexConfig(M, EF_CONSTRUCTION, 10_000),
        optimizers=qe.EdgeOptimizersConfig(default_segment_number=1),
        max_search_threads=1,
    )


def build(path):
    rows = read("base")
    with gzip.open(os.path.join(FOLDER, SET, "base.jsonl.gz")) as f:
        said = [json.loads(line) for line in f]
    os.makedirs(path + ".new")
    shard = qe.EdgeShard.create(path + ".new", config(rows.shape[1]))
    for field, kind in FIELDS.items():
        shard.update(qe.UpdateOperation.create_field_index(field, kind))
    start = time.perf_counter()
    for at in range(0, len(rows), 1000):
        shard.update(qe.UpdateOperation.upsert_points([
            qe.Point(i, rows[i].tolist(), {k: said[i][k] for k in FIELDS}) for i in range(at, min(at + 1000, len(rows)))]))
    shard.optimize()
    shard.flush()
    took = time.perf_counter() - start
    shard.close()
    os.rename(path + ".new", path)
    return took


def narrowed(n):
    if not n:
        return None
    if n.get("values"):
        return qe.Filter(must=[qe.FieldCondition(key=n["field"], match=qe.MatchAny(n["values"]))])
    return qe.Filter(must=[qe.FieldCondition(key=n["field"], range=qe.RangeFloat(gte=n["from"], lte=n["to"]))])


def requests(queries, ask):
    acorn = qe.AcornSearchParams(enable=True) if ask["acorn"] else None
    params = qe.SearchParams(hnsw_ef=ask["ef"], exact=ask["exact"], acorn=acorn)
    narrow = narrowed(ask.get("narrow"))
    return [qe.SearchRequest(qe.Query.Nearest(q.tolist()), K, filter=narrow, params=params, with_payload=False, with_vector=False)
            for q in queries]


def main():
    queries = read("query")
    shard = None
    for line in sys.stdin:
        ask = json.loads(line)
        say = {}
        if ask["do"] == "load":
            path = os.path.join(CACHE, f"qdrant-edge-{SET}")
            if not os.path.exists(path):
                say["seconds"] = build(path)
            shard = qe.EdgeShard.load(path)
        elif ask["do"] == "search":
            asked = requests(queries[: ask["queries"]], ask)
            start = time.process_time()
            for _ in range(ask["times"]):
                found = [shard.search(r) for r in asked]
            say["seconds"] = time.process_time() - start
            say["rows"] = [[p.id for p in near] for near in found] if ask["answers"] else None
        print(json.dumps(say), flush=True)


main()
