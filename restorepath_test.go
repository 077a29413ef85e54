package tarn_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestABackupOfADatabaseWithoutCollectionsIsOne(t *testing.T) {
	db, _ := newDB(t, nil)
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, tarn.Restore(ctx, copied, bytes.NewReader(backup(t, db))))
	again, err := tarn.Open(copied, nil)
	require.NoError(t, err)
	require.Empty(t, again.Collections())
	_, err = again.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: 3})
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestRestoreTouchesNothingThatIsNotItsOwn(t *testing.T) {
	_, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 4}, nil)
	whole := backup(t, db)
	cut := whole[:len(whole)-3]
	link := func(to, name string) func(t *testing.T) {
		return func(t *testing.T) { require.NoError(t, os.Symlink(to, name)) }
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T)
		path    string
		data    []byte
		err     error
	}{
		"folders above that are made, for a backup that is cut": {nil, "a/b/copy", cut, tarn.ErrCorrupt},
		"and for none":                             {nil, "a/b/copy", []byte("nothing like a backup, but longer than its header would be"), tarn.ErrCorrupt},
		"the path is a link to nowhere":            {link("nowhere", "copy"), "copy", whole, tarn.ErrExists},
		"the path is a link to a folder":           {link("mine", "copy"), "copy", whole, tarn.ErrExists},
		"its folder's name is a link to another":   {link("mine", "copy.restoring"), "copy", whole, tarn.ErrExists},
		"its folder's name is a link out of here":  {link(os.TempDir(), "copy.restoring"), "copy", whole, tarn.ErrExists},
		"its folder's name is a file":              {func(t *testing.T) { require.NoError(t, os.WriteFile("copy.restoring", []byte("mine"), 0o600)) }, "copy", whole, tarn.ErrExists},
		"its folder's name is a folder of another": {func(t *testing.T) { require.NoError(t, os.CopyFS("copy.restoring", os.DirFS("mine"))) }, "copy", whole, tarn.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.MkdirAll("mine/deep", 0o700))
			require.NoError(t, os.WriteFile("mine/deep/file", []byte("mine"), 0o600))
			if c.prepare != nil {
				c.prepare(t)
			}
			before := tree(t, ".")
			require.ErrorIs(t, tarn.Restore(ctx, c.path, bytes.NewReader(c.data)), c.err)
			require.Equal(t, before, tree(t, "."))
		})
	}
}
