//! Ginti's sync machines: batcher and courier, with no I/O, clock or randomness inside.
