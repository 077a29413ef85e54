// Nats consumes a JetStream stream into a store and writes every message once,
// however often it is killed.
//
//	publisher ──> JetStream (embedded, on disk) ──seq 1, 2, 3 ...──> consumer
//	                                                                   │ batch, From("events", seq)
//	                  start behind Position("events") <── store <──────┘ one record: points and place
//
// The number that JetStream gives a message is its place in the source. It is stored
// in the same record as the points, so there is no moment at which one of the two is
// there without the other, and nothing to acknowledge to the broker: after a crash the
// consumer asks for what follows Position. What is delivered again all the same is
// skipped by the store.
//
//	cd examples/nats
//	go run . -dir data -messages 20000      kill it, and run it again
//
// The server is started by the program, so that nothing has to be installed; with one
// of your own only the connection changes. The publisher stands in for whatever fills
// the stream.
//
// It is a module of its own: who imports the library does not download a broker,
// which asks for Go 1.26 besides.
package main
