module github.com/tarndb/tarn

go 1.25.0

require (
	github.com/RoaringBitmap/roaring/v2 v2.30.0 // library: the sets of slots of field indexes, in internal/attr and collection
	github.com/coder/hnsw v0.6.1 // library: EngineCoder, the baseline behind hnsw/coder
	github.com/edsrzf/mmap-go v1.2.0 // library: maps files, in internal/vfs only
	github.com/klauspost/compress v1.20.3 // library: s2 for the blocks of a backup, in internal/archive only
	github.com/stretchr/testify v1.12.1 // tests
	github.com/urfave/cli/v3 v3.11.0 // command: flags, help, completion
	go.etcd.io/bbolt v1.5.0 // library: transactions for the small and the cold, in internal/meta only
	go.uber.org/goleak v1.3.0 // tests: no goroutine outlives its owner
	golang.org/x/sys v0.46.0 // library: CPU features, fallocate, madvise, locks
	golang.org/x/term v0.44.0 // command: is this a terminal, and how wide
	gonum.org/v1/plot v0.16.0 // command: the picture of tarn bench
	pgregory.net/rapid v1.3.0 // tests: random operations against models
)

require (
	codeberg.org/go-fonts/liberation v0.5.0 // indirect
	codeberg.org/go-latex/latex v0.1.0 // indirect
	codeberg.org/go-pdf/fpdf v0.10.0 // indirect
	git.sr.ht/~sbinet/gg v0.6.0 // indirect
	github.com/ajstarks/svgo v0.0.0-20211024235047-1546f124cd8b // indirect
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/campoy/embedmd v1.0.0 // indirect
	github.com/chewxy/math32 v1.10.1 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	github.com/google/renameio v1.0.1 // indirect
	github.com/mschoch/smat v0.2.0 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	github.com/viterin/partial v1.1.0 // indirect
	github.com/viterin/vek v0.4.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20240506185415-9bf2ced13842 // indirect
	golang.org/x/image v0.25.0 // indirect
	golang.org/x/text v0.23.0 // indirect
)
