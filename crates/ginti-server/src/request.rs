//! What was sent: bodies (typed, bounded, decompressed), query and path parameters. Every fault is a problem.

mod body;
mod json;
mod params;

pub(crate) use body::{discard, gunzip, read, read_file};
pub(crate) use json::{Json, Large, OptionalJson, Whole, parse};
pub(crate) use params::{Params, Segments};
