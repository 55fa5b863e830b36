//! `halfopen-health`: checks that drive breakers, on a paused clock, and checks of real servers that misbehave.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod document;
mod driving;
mod hung;
mod servers;
mod world;
