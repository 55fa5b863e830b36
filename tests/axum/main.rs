//! Protected routes of a real axum server on the loopback, called by clients that write raw bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod answers;
mod bodies;
mod building;
mod clients;
mod document;
mod limits;
mod names;
mod outcomes;
mod server;
mod status;
