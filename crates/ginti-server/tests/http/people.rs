//! Hostile people: what docs/security.md names as its tests, where no part of the address space is their place.

mod disabled;
mod flood;
mod injection;
mod recipes;
mod stolen;
mod tenants;
