//! The bounds of the wire format (DESIGN.md section 9). A limit on everything: whoever sends more gets a clear error.

/// Items in one batch, at most.
pub const BATCH_ITEMS_MAX: usize = 1_000;
/// Bytes of one batch after decompression, at most (1 MiB).
pub const BATCH_BYTES_MAX: usize = 1_048_576;
/// Characters (not bytes) of any id, at most.
pub const ID_CHARS_MAX: usize = 40;
/// Characters of a scanned or typed product identifier, at most: a QR or GS1 DataMatrix content still fits.
pub const PRODUCT_IDENTIFIER_CHARS_MAX: usize = 200;
/// Characters of a note on a count, at most.
pub const NOTE_CHARS_MAX: usize = 500;
/// How far a revision may run ahead of the server's clock, in milliseconds (5 minutes).
pub const CLOCK_AHEAD_MS_MAX: u64 = 5 * 60 * 1_000;
