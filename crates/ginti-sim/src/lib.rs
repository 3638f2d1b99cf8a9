//! Ginti's simulator: many devices running the real sync machines against the real server over a real SQLite file, on one
//! thread, in virtual time, from one seed.
//!
//! [`scenario`] draws a story; [`world`] plays it: people count while everything goes wrong, then the faults stop and
//! everything must arrive. [`oracle`] says what does not hold. [`campaign`] plays many seeds, [`mutants`] plants the field's
//! classic bugs to see that the oracle finds them, [`shrink`] makes a failing story small.

pub mod awaits;
pub mod campaign;
pub mod chance;
pub mod device;
pub mod dump;
pub mod kernel;
pub mod mutants;
pub mod network;
pub mod oracle;
pub mod person;
pub mod scenario;
pub mod server;
pub mod shop;
pub mod shrink;
pub mod stampede;
pub mod tampered;
pub mod trace;
pub mod world;
