package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

func main() {
	log.SetFlags(0)
	var l life
	flag.IntVar(&l.N, "n", 1_000_000, "points of the larger run; the smaller one has a tenth")
	flag.IntVar(&l.Dim, "dim", 128, "dimensions")
	flag.IntVar(&l.Intrinsic, "intrinsic", 16, "dimensions that the points really fill")
	flag.StringVar(&l.Dir, "dir", os.TempDir(), "where the stores are made, and removed again")
	one := flag.Bool("one", false, "one run of -n points, reported as JSON")
	flag.Parse()
	if *one {
		r, err := l.run(context.Background())
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(r)
		}
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	small, err := l.apart(l.N / 10)
	if err != nil {
		log.Fatal(err)
	}
	large, err := l.apart(l.N)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d dimensions, %d intrinsic, L2; %s/%s, %d processors, %s\n\n", l.Dim, l.Intrinsic, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	compare(os.Stdout, small, large)
}

// apart makes one run in a process of its own, whose memory is the store's.
func (l life) apart(n int) (figures, error) {
	var f figures
	cmd := exec.Command(os.Args[0], "-one", "-n", strconv.Itoa(n), "-dim", strconv.Itoa(l.Dim), "-intrinsic", strconv.Itoa(l.Intrinsic), "-dir", l.Dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &f)
	}
	if err != nil {
		return f, fmt.Errorf("run with %d points: %w", n, err)
	}
	return f, nil
}
