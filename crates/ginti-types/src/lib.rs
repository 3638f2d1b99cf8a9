//! Wire types, ids, revision, quantity, limits and the merge rule of Ginti.
//!
//! Everything else depends on this crate and it depends on none of them: the server parses batches with it, the
//! device's machines stamp and settle with it, and both decide "which write wins" with the same [`merge`] function.
//! Nothing here does I/O or reads a clock.

mod batch;
mod id;
pub mod limits;
mod manifest;
mod merge;
mod note;
mod object;
mod parse;
mod problem;
mod quantity;
mod receipt;
mod revision;
mod session;
mod time;

pub use batch::{Batch, CountItem, ItemContent, Requested};
pub use id::{
    BatchId, DeviceId, Epoch, FacilityId, IdError, ItemSeqId, LocationSeqId, ProductId, ProductIdentifier, SessionId,
    TenantId, UserLoginId,
};
pub use manifest::Manifest;
pub use merge::{Verdict, merge};
pub use note::{Note, NoteError};
pub use object::Object;
pub use parse::{ItemRefusal, ParsedBatch, ParsedItem, parse_batch, parse_batch_patiently};
pub use problem::{Code, FieldError, Problem};
pub use quantity::{Quantity, QuantityError};
pub use receipt::{Outcome, Receipt, ReceiptItem};
pub use revision::{Clock, Revision, RevisionError, Stamp};
pub use session::{Purpose, SessionStatus};
pub use time::{Timestamp, TimestampError};
