use std::time::Duration;

use tokio::time::Instant;

/// The clock of the demonstration, which converts between script time and real time.
///
/// At a speed of six, a script of sixty seconds runs in ten. All durations of the story (waits, timeouts,
/// answers) are written in script seconds and are converted here.
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

    /// The real time at which the script reaches `moment`.
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
