package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// parts are what the files of a store are counted by.
var parts = [4]string{"vectors", "codes", "graph", "the rest"}

// memoryMB reads what the system says of this process; zeros where it does not.
func memoryMB() (anonymous, file float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "RssAnon: %f kB", &kb); n == 1 {
			anonymous = kb / 1e3
		} else if n, _ := fmt.Sscanf(line, "RssFile: %f kB", &kb); n == 1 {
			file = kb / 1e3
		}
	}
	return anonymous, file
}

// weigh adds up the files of a closed store.
func (f *figures) weigh(path string) error {
	return filepath.WalkDir(path, func(name string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		mb := float64(info.Size()) / 1e6
		part := slices.Index([]string{".vec", ".code", ".snap"}, filepath.Ext(name))
		if part < 0 {
			part = len(parts) - 1
		}
		f.Disk += mb
		f.Parts[part] += mb
		return nil
	})
}

// processorUS is what this process has used of the processors; zero where the system
// does not say.
func processorUS() float64 {
	const userAt, perTick = 11, 10_000 // behind the name, whose end is a bracket; 100 ticks a second
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(f) < userAt+2 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[userAt], 64)
	system, _ := strconv.ParseFloat(f[userAt+1], 64)
	return (user + system) * perTick
}
