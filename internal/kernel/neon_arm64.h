// Vector instructions that Go's assembler has no names for. Operands are
// register numbers in its order: sources, then destination.

#define RRR(op, m, n, d) WORD $((op) | (m)<<16 | (n)<<5 | (d))
#define RR(op, n, d) WORD $((op) | (n)<<5 | (d))

#define SMULL(m, n, d) RRR(0x0e20c000, m, n, d)  // d.8h = n.8b * m.8b, low halves
#define SMULL2(m, n, d) RRR(0x4e20c000, m, n, d) // the same of the high halves
#define SADALP(n, d) RR(0x4e606800, n, d)        // d.4s += n.8h, pair by pair
#define SDOT(m, n, d) RRR(0x4e809400, m, n, d)   // d.4s += n.16b * m.16b, four by four
#define MUL(m, n, d) RRR(0x4ea09c00, m, n, d)    // d.4s = n.4s * m.4s, integers
#define SCVTF(n, d) RR(0x4e21d800, n, d)         // d.4s = float32(n.4s)
#define FADD(m, n, d) RRR(0x4e20d400, m, n, d)   // d.4s = n.4s + m.4s
#define FADDP(m, n, d) RRR(0x6e20d400, m, n, d)  // d.4s = pairs of n.4s, m.4s added
#define FSUB(m, n, d) RRR(0x4ea0d400, m, n, d)   // d.4s = n.4s - m.4s
#define FMUL(m, n, d) RRR(0x6e20dc00, m, n, d)   // d.4s = n.4s * m.4s
#define FMAX(m, n, d) RRR(0x4e20f400, m, n, d)   // d.4s = max(n.4s, m.4s)
