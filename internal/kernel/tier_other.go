//go:build !amd64 && !arm64

package kernel

import "unsafe"

// No assembly on this machine: the portable tier is the only one.

func assemblyTiers() []tier { return nil }

func assemblyCodes(q *Query, l *rowList, out []float32) { portableCodes(q, l, out) }

func assemblySlacks(q *Query, l *rowList, out []float32) { portableSlacks(q, l, out) }

func assemblyVectors(tier, Metric, []float32, *uintptr, int, int, *float32) {}

func prefetch(unsafe.Pointer, int) {}

func fetchRows(*uintptr, int, int) {}

func packCode(_ tier, dst, row []byte, _ int) []byte { return packUnsigned(dst, row) }

func codeBias(tier) int32 { return unsignedBias }
