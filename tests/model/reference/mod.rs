//! A plain, slow breaker: a transcription of the rules S1-S32, written to be read beside them.
//!
//! It shares no code with the crate. Time is a number of nanoseconds that the test moves; one thread uses it; every
//! sample of a window is kept and counted anew at each question.

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
