//! `POST /maarg/poorti/InventoryCountImport`.

mod answers;
mod bad_bodies;
mod bad_items;
mod encoding;
mod rights;
