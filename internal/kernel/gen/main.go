// Command gen writes the assembly of the amd64 tiers of internal/kernel. Run
// `go generate ./internal/kernel`; each part is one file.
package main

import (
	"flag"
	"log"

	"github.com/mmcloughlin/avo/build"
)

func main() {
	part := flag.String("part", "", "codes, slack, vectors, fetch or encode")
	flag.Parse()
	build.ConstraintExpr("amd64")
	switch *part {
	case "fetch":
		fetchRows()
		prefetch()
	case "codes":
		codes()
	case "vectors":
		vectors()
	case "encode":
		encode()
	case "slack":
		slacks()
	default:
		log.Fatalf("unknown part %q", *part)
	}
	build.Generate()
}
