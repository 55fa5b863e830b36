//! The decision before each call, which learns from the answers.

/// A point in simulated time, or a duration.
pub type Seconds = f64;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, however late.
    Success,
    /// The service failed.
    Failure,
    /// The caller stopped waiting.
    Timeout,
    /// The service answered that there were too many calls.
    Throttled,
}

/// What the caller receives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// How the call ended.
    pub outcome: Outcome,
    /// How long the caller waited.
    pub took: Seconds,
    /// The time after which the service asks for the next call.
    pub retry_after: Option<Seconds>,
}

/// A decision whether to call.
pub trait Policy {
    /// Decides about a call at `now`: [`None`] rejects it, and a number identifies it until it ends.
    fn admit(&mut self, now: Seconds) -> Option<u64>;

    /// Learns how a call ended that was admitted at `start` with this number.
    fn end(&mut self, call: u64, start: Seconds, answer: &Answer, now: Seconds);
}

/// Calls always.
#[derive(Debug)]
pub struct Always;

impl Policy for Always {
    fn admit(&mut self, _: Seconds) -> Option<u64> {
        Some(0)
    }

    fn end(&mut self, _: u64, _: Seconds, _: &Answer, _: Seconds) {}
}
