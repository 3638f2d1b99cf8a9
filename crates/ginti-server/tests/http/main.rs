//! The real router over a real SQLite store: one module per part of the address space.

mod app;
mod auth;
mod bad_inputs;
mod command;
mod desk;
mod health;
mod hostile;
mod import;
mod items;
mod limits;
mod lists;
mod model;
mod openapi;
mod people;
mod problems;
mod sessions;
mod socket;
mod standing;
mod support;
