//! A history: the construction of a breaker, and the steps that follow.

use crate::compare::Log;
use crate::reference::{Finish, Nanos, Settings};
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) build: Build,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) settings: Settings,
    /// A custom rule, in addition to those of the settings.
    pub(crate) custom: bool,
    /// Whether the listener subscribes to every call.
    pub(crate) watched: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Acquire,
    /// Ends the call at this index among those in flight (modulo their number).
    Finish(usize, Finish),
    /// This number of calls in sequence, each ended immediately.
    Calls(u32, Finish),
    Advance(Nanos),
    Back(Nanos),
    /// Moves to the end of the wait or of the first probe's timeout, plus this number of nanoseconds.
    ToInstant(i64),
    Trip,
    OpenFor(Nanos),
    ForceOpen,
    ForceClosed,
    Disable,
    MetricsOnly,
    Reset,
    /// `enabled` of a configuration, which does not lift an operator's override.
    SetEnabled(bool),
    /// If true, the window is the previous one, and the settings already contain it.
    SetConfig(Box<Settings>, bool),
    /// Counts the rejection of a `check()`, as an adapter does.
    CountRejection,
}

impl History {
    /// Replays it on both; returns the first difference, or all events.
    pub(crate) fn play(&self) -> Result<Log, String> {
        let mut world = World::new(&self.build);
        world.compare().map_err(|why| format!("at the start: {why}"))?;
        for (number, step) in self.steps.iter().enumerate() {
            world.take(step).map_err(|why| format!("step {number}, {step:?}: {why}"))?;
        }
        Ok(world.into_log())
    }
}
