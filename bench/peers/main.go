package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/tarndb/tarn/bench/internal/data"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

const usage = `use:
	peers all                measure every part and write RESULTS.md
	peers graph [-set NAME] [-rounds N] [-only search|build|prepare]
	peers databases [-n N] [-set NAME|generated] [-only NAMES] [-kills N]
	peers filters [-rounds N] [-queries N] [-only prepare]
	peers window [-n N] [-laps N] [-ef N]
	peers repeat SECTION     run the commands in results/SECTION.md of bench again
	peers report             put RESULTS.md and the plots together anew
	peers profile SET FILE   where Tarn's searches spend their time`

func command(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "serve":
		if len(args) != 3 {
			return errors.New(usage)
		}
		return serve(args[1], args[2])
	case "store":
		if len(args) != 3 {
			return errors.New(usage)
		}
		return storeProcess(args[1], args[2])
	case "graph":
		return graph(args[1:])
	case "databases":
		return databases(args[1:])
	case "window":
		return window(args[1:])
	case "filters":
		return filters(args[1:])
	case "all":
		return all()
	case "repeat":
		if len(args) != 2 {
			return errors.New(usage)
		}
		return repeat(args[1])
	case "report":
		return graphReport()
	case "profile":
		if len(args) != 3 {
			return errors.New(usage)
		}
		return profile(args[1], args[2], 64)
	}
	return errors.New(usage)
}

// graph measures the graph section of RESULTS.md.
func graph(args []string) error {
	flags := flag.NewFlagSet("graph", flag.ContinueOnError)
	set := flags.String("set", "", "one set; all if empty")
	rounds := flags.Int("rounds", 5, "rounds of searches")
	rows := flags.Int("rows", 20_000, "vectors of a build")
	builds := flags.Int("builds", 3, "rounds of builds")
	only := flags.String("only", "", "prepare, search or build; all if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := venv(); err != nil {
		return err
	}
	names := data.Names
	if *set != "" {
		names = []string{*set}
	}
	for _, name := range names {
		if err := measure(name, *only, *rounds, *rows, *builds); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return graphReport()
}

// all measures every part, in the page's order.
func all() error {
	for _, section := range sections {
		start := time.Now()
		if err := measured(section); err != nil {
			return fmt.Errorf("%s: %w", section, err)
		}
		fmt.Fprintf(os.Stderr, "peers: %s took %s\n", section, time.Since(start).Round(time.Second))
	}
	return nil
}

// measured measures one section anew: by its own command, or by those in its
// fragment.
func measured(section string) error {
	switch section {
	case "graph":
		if os.Getenv(data.Folder) == "" {
			fmt.Println("graph: left as it is, it needs", data.Folder)
			return nil
		}
		return graph(nil)
	case "filter-ways":
		if os.Getenv(data.Folder) == "" {
			fmt.Println("filter-ways: left as it is, it needs", data.Folder)
			return nil
		}
		if err := run("go", "-C", "../..", "run", "./bench/filters", "-build"); err != nil {
			return err
		}
		if err := run("go", "-C", "../..", "run", "./bench/filters"); err != nil {
			return err
		}
		return assemble(fragments, resultsFile)
	case "databases":
		if os.Getenv(data.Folder) == "" {
			fmt.Println("databases: left as it is, it needs", data.Folder)
			return nil
		}
		return databases([]string{"-set", realStores})
	case "databases-generated":
		return databases([]string{"-set", "generated"})
	case "window":
		return window(nil)
	case "filters":
		if os.Getenv(data.Folder) == "" {
			fmt.Println("filters: left as it is, it needs", data.Folder)
			return nil
		}
		return filters(nil)
	}
	if err := repeat(section); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil // nobody has written that fragment yet
}

func measure(name, only string, rounds, rows, builds int) error {
	set, err := data.Load(name)
	if err != nil {
		return err
	}
	if err := prepare(name, only == "" || only == "prepare"); err != nil || only == "prepare" {
		return err
	}
	f := readFigures(name)
	f.stamp()
	if only != "build" {
		if err := f.search(set, rounds); err != nil {
			return err
		}
		if err := f.work(set); err != nil {
			return err
		}
	}
	if only != "search" {
		if err := f.build(set, rows, builds); err != nil {
			return err
		}
	}
	return f.save()
}

// machine describes where this runs.
func machine() string {
	model := runtime.GOARCH
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d CPUs, %s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.Version())
}
