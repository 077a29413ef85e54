// Sensor streams readings into a store and can be stopped at any moment, in any
// way: started again it goes on behind the last reading that is durable, writes
// none twice and leaves none out.
//
//	go run ./examples/sensor -dir /tmp/sensor -readings 20000    stop it, start it again
//
//	readings ──> SendBatch(From("sensor", n)) ──> one record: points and place
//	   ^                                              │
//	   └──── Position("sensor") after a restart <─────┘
//
// Invariants:
//
//	I1  The place in the source is in the same record as the readings, so after any
//	    crash the store holds exactly the readings up to Position.
//	I2  Nothing is configured at a restart: the collection, its stream included, is
//	    as it was when Open returns.
//
// Concurrency: one goroutine reads the source; the stream has its own.
//
// What it does not do: talk to a real sensor. A reading is a function of its
// number, as a queue or a file would give it again when asked.
package main
