//! The framing between an outer and an inner tier, without I/O.
