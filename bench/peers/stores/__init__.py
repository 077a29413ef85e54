"""Stores of other hands, one a file, each a class Store:

    open(path, dim, payloads)     open it, or make it; payloads: whether points carry one
    insert(first, rows, durable)  write rows, whose ids follow each other from first
    finish()                      do what makes searches quick and data safe
    search(query, ef)             the K nearest ids, nearest first
    has(i)                        whether it holds an id
    close()
"""

K, M, EF_CONSTRUCTION = 10, 16, 200


def payload(i):
    """What a point carries: 100 bytes as Tarn writes them."""
    return {"title": "a passage of a manual page, as many others", "section": i % 9, "words": 80, "lang": "en", "rank": 0.25}
