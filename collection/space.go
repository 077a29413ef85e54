package collection

// space is memory that small copies share, block by block.
type space struct {
	block []byte // what is given out, and room for more
}

// clone returns a copy of data, which nobody can append to in place. A new block has as
// many bytes, or more if data has.
func (s *space) clone(data []byte, block int) []byte {
	if len(data) > cap(s.block)-len(s.block) {
		s.block = make([]byte, 0, max(block, len(data)))
	}
	from := len(s.block)
	s.block = append(s.block, data...)
	return s.block[from:len(s.block):len(s.block)]
}
