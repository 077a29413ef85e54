// Http takes points over HTTP and puts them into a stream. The status says what may
// be relied on:
//
//	PUT /points/7          {"vector": [...], "payload": {...}}
//
//	202 Accepted           queued: written in order, and durable in a moment
//	200 OK                 with ?wait=1: durable and searchable
//	400 Bad Request        the point was refused, and why; sending it again is vain
//	413 Too Large          likewise
//	429 Too Many Requests  the queue is full: again after Retry-After seconds
//	503 Unavailable        the stream is dead or closing: again after Retry-After
//	                       seconds, when somebody has looked at the disk
//
// TrySend never blocks, so a handler never waits for the disk: the queue is the
// buffer, and 429 the way in which the store slows its clients down.
//
//	go run ./examples/http -dir data -listen localhost:8080
//	curl -X PUT localhost:8080/points/7 -d '{"vector": [1, 2, 3]}'
package main
