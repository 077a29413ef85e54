package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	log.SetFlags(0)
	points := flag.Int("n", 40_000, "points, half of them there from the start")
	from := flag.String("from", "", "draw this recording instead of making one")
	dir := flag.String("o", "docs", "where rebuild.svg and rebuild.json are written")
	flag.Parse()
	if err := recordOrDraw(*points, *from, *dir); err != nil {
		log.Fatal(err)
	}
}

func recordOrDraw(points int, from, dir string) error {
	rec := &recording{}
	if from != "" {
		text, err := os.ReadFile(from)
		if err == nil {
			err = json.Unmarshal(text, rec)
		}
		if err != nil {
			return err
		}
	} else {
		var err error
		machine := fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
		if rec, err = record(context.Background(), points, machine); err != nil {
			return err
		}
		text, err := json.Marshal(rec)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "rebuild.json"), append(text, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	if len(rec.Samples) == 0 {
		return fmt.Errorf("the recording has no samples")
	}
	fmt.Println(rec.summary())
	return os.WriteFile(filepath.Join(dir, "rebuild.svg"), []byte(draw(rec)), 0o644)
}
