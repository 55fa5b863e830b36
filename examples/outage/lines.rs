use std::io;
use std::time::Duration;

use crate::output::Output;
use crate::paint::{self, Hue, Paint};
use crate::timeline::View;
use crate::words;

const SECOND: Duration = Duration::from_secs(1);

/// A line for each second, for outputs that cannot be drawn over.
pub(crate) struct Lines {
    output: Output,
    paint: Paint,
    /// How many seconds have their line.
    told: u64,
}

impl Lines {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, paint: output.paint(), told: 0 }
    }

    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    pub(crate) fn say(&self, line: &str) -> io::Result<()> {
        self.output.write(&format!("{line}\n"))
    }

    /// Tells each second that is over and not told yet.
    pub(crate) fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        let over = view.pace.now().min(view.script.length()).as_secs();
        while self.told < over {
            self.say(&self.line(self.told, view))?;
            self.told += 1;
        }
        Ok(())
    }

    /// Dated at the end of the second, so that the lines are in order.
    fn line(&self, second: u64, view: &View<'_>) -> String {
        let from = Duration::from_secs(second);
        let state = view.chronicle.state_in_second(second);
        let breaker = self.paint.text(paint::of_state(state).1, &format!("{:9}", words::state(state)));
        let server = view.script.health_at(from).map_or_else(String::new, |health| {
            self.paint.text(Hue::Bold, &format!("{:10}  ", health.name()))
        });
        let (bare, protected) = (view.bare.tick(second), view.protected.tick(second));
        format!(
            "{}  {server}{breaker}  bare {:3} answered {:3} failed | protected {:3} answered {:3} failed {:3} rejected",
            words::moment(from + SECOND),
            bare.answered,
            bare.failed,
            protected.answered,
            protected.failed,
            protected.rejected,
        )
    }
}
