use std::io;
use std::time::Duration;

use crate::output::Output;
use crate::render::{self, Hue, Palette};
use crate::timeline::View;
use crate::words;

const SECOND: Duration = Duration::from_secs(1);

/// A line for each second, for outputs that cannot be drawn over.
pub(crate) struct Lines {
    output: Output,
    palette: Palette,
    /// The number of seconds that have a line.
    written: u64,
}

impl Lines {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, palette: output.palette(), written: 0 }
    }

    pub(crate) fn palette(&self) -> Palette {
        self.palette
    }

    pub(crate) fn say(&self, line: &str) -> io::Result<()> {
        self.output.write(&format!("{line}\n"))
    }

    /// Writes a line for each second that is over and has no line yet.
    pub(crate) fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        let over = view.pace.now().min(view.script.length()).as_secs();
        if self.written == 0 && over > 0 {
            self.say(&self.head())?;
        }
        while self.written < over {
            self.say(&self.line(self.written, view))?;
            self.written += 1;
        }
        Ok(())
    }

    /// Dated at the end of the second, so that the lines are in order.
    fn line(&self, second: u64, view: &View<'_>) -> String {
        let from = Duration::from_secs(second);
        let state = view.log.state_in_second(second);
        let breaker = self.palette.text(render::of_state(state).1, &format!("{:9}", words::state(state)));
        let server = view.script.health_at(from).map_or("", |health| health.name());
        let server = self.palette.text(Hue::Bold, &format!("{server:10}"));
        let (bare, protected) = (view.bare.tick(second), view.protected.tick(second));
        format!(
            "{}  {server}  {breaker} {:9} {:7} {:11} {:7} {:9}",
            words::moment(from + SECOND),
            bare.answered,
            bare.failed,
            protected.answered,
            protected.failed,
            protected.rejected,
        )
    }

    fn head(&self) -> String {
        let clients = format!("{:30} {:>9} {:>7} {:>11}", "", "bare", "", "protected");
        let columns = format!(
            "{:7}  {:10}  {:9} {:>9} {:>7} {:>11} {:>7} {:>9}",
            "script", "server", "breaker", "answered", "failed", "answered", "failed", "rejected"
        );
        self.palette.text(Hue::Dim, &format!("{}\n{columns}", clients.trim_end()))
    }
}
