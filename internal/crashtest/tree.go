package crashtest

import (
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// file is what O5 compares of each file.
type file struct {
	size     int64
	modified time.Time
	sum      uint32
}

// tree reads every file below dir.
func tree(dir string) (map[string]file, error) {
	files := map[string]file{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		h := crc32.New(castagnoli)
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = file{size: info.Size(), modified: info.ModTime(), sum: h.Sum32()}
		return err
	})
	return files, err
}

// written names the files in which two trees differ.
func written(before, after map[string]file) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch now, ok := after[name]; {
		case !ok:
			out = append(out, name+" is gone")
		case now != before[name]:
			out = append(out, fmt.Sprintf("%s was written (%d bytes, now %d)", name, before[name].size, now.size))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[name]; !ok {
			out = append(out, name+" is new")
		}
	}
	return out
}
