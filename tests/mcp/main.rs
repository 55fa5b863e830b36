//! `halfopen-mcp` over rmcp, against servers of their own: in this process, as child processes and over HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod calls;
mod others;
mod outages;
mod sdks;
mod tools;
mod world;
