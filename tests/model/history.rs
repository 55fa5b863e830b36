//! A history: how a breaker is built, and what then happens to it.

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
    /// A rule of the user's own, besides those of the settings.
    pub(crate) custom: bool,
    /// Whether the listener asks for every call.
    pub(crate) watched: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Acquire,
    /// Ends the call at this place among those in flight (counted round).
    Finish(usize, Finish),
    /// So many calls one after the other, each ended at once.
    Calls(u32, Finish),
    Advance(Nanos),
    Back(Nanos),
    /// To the end of the wait or of the first probe's time, less or more by so many nanoseconds.
    ToInstant(i64),
    Trip,
    OpenFor(Nanos),
    ForceOpen,
    ForceClosed,
    Disable,
    MetricsOnly,
    Reset,
    /// `enabled` of a configuration, against the operator's word.
    SetEnabled(bool),
    /// The window before it stays, if so drawn: then the settings hold it already.
    SetConfig(Box<Settings>, bool),
    /// What an adapter does with the no of a `check()`.
    CountRejection,
}

impl History {
    /// Plays it to both, and says where they part, or all that was told.
    pub(crate) fn play(&self) -> Result<Log, String> {
        let mut world = World::new(&self.build);
        world.compare().map_err(|why| format!("at the start: {why}"))?;
        for (number, step) in self.steps.iter().enumerate() {
            world.take(step).map_err(|why| format!("step {number}, {step:?}: {why}"))?;
        }
        Ok(world.into_log())
    }
}
