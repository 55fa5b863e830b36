//! A simple, slow breaker: a transcription of the rules S1-S32, to be read next to them.
//!
//! It shares no code with the crate. Time is a number of nanoseconds that the test advances; it is
//! single-threaded; every sample of a window is stored, and counted anew by each query.

mod admission;
mod breaker;
mod control;
mod jitter;
mod memory;
mod settings;
mod view;
mod words;

pub(crate) use breaker::{Breaker, Permit};
pub(crate) use settings::{Abandoned, Growth, HalfOpen, Rule, Settings, Verdict, Window};
pub(crate) use view::View;
pub(crate) use words::{Change, Counts, Ended, Finish, Nanos, Queued, Reason, State, Told, Totals, Why};
