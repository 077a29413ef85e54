package main

import (
	"testing"
)

func TestEveryLineOfARowIsRead(t *testing.T) {
	row := make([]byte, 192)
	row[0], row[64], row[128] = 1, 2, 4
	table := rows(row, make([]byte, 192*8))
	if table.Cap() != 8 {
		t.Fatal(table.Cap())
	}
	sink = 0
	slots := make([]uint32, list)
	for i := range slots {
		slots[i] = uint32(i % 8)
	}
	read(table)(slots)
	if sink != 7*list {
		t.Fatal(sink)
	}
	if perRow(table, read(table)) <= 0 {
		t.Fatal("no time")
	}
}
