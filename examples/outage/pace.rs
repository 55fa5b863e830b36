use std::time::Duration;

use tokio::time::Instant;

/// The demonstration's one clock: how script time and real time go together.
///
/// A script of sixty seconds is played in ten by a speed of six. Everything that takes time in
/// the story (waits, timeouts, answers) is written in script seconds and passes through here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    speed: f64,
}

impl Pace {
    pub(crate) fn starting_now(speed: f64) -> Self {
        Self { start: Instant::now(), speed }
    }

    /// Script time since the start.
    pub(crate) fn now(self) -> Duration {
        self.scripted(self.start.elapsed())
    }

    /// The real moment at which the script reaches `moment`.
    pub(crate) fn at(self, moment: Duration) -> Instant {
        self.start + self.real(moment)
    }

    pub(crate) fn real(self, scripted: Duration) -> Duration {
        scripted.div_f64(self.speed)
    }

    pub(crate) fn scripted(self, real: Duration) -> Duration {
        real.mul_f64(self.speed)
    }
}
