use std::io;

use crate::output::Output;
use crate::render::{self, Palette};
use crate::timeline::View;

/// On a smaller terminal the picture would scroll off the screen.
const LEAST_ROWS: usize = 18;
const LEAST_COLUMNS: usize = 50;
/// Wider than this, a line is hard to follow.
const MOST_COLUMNS: usize = 120;

/// A picture that is redrawn in place.
pub(crate) struct Live {
    output: Output,
    palette: Palette,
    /// How many lines the picture on the screen has.
    drawn: usize,
}

impl Live {
    /// Returns [`None`] if the output is not a terminal, or a terminal that is too small.
    pub(crate) fn new(output: Output) -> Option<Self> {
        let (columns, rows) = output.size()?;
        let fits = rows >= LEAST_ROWS && columns >= LEAST_COLUMNS;
        (output.is_terminal() && !render::is_dumb() && fits).then(|| Self {
            output,
            palette: output.palette(),
            drawn: 0,
        })
    }

    pub(crate) fn palette(&self) -> Palette {
        self.palette
    }

    pub(crate) fn say(&self, line: &str) -> io::Result<()> {
        self.output.write(&format!("{line}\n"))
    }

    /// Redraws the picture below `above`, a line that stays.
    pub(crate) fn draw(&mut self, above: Option<&str>, view: &View<'_>) -> io::Result<()> {
        let columns = self.output.size().map_or(LEAST_COLUMNS, |(columns, _)| columns);
        // The last column stays free: some terminals wrap when it is filled.
        let lines = view.lines(columns.min(MOST_COLUMNS) - 1, self.palette);
        let mut text = self.erase();
        for line in above.into_iter().chain(lines.iter().map(String::as_str)) {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = lines.len();
        self.output.write(&text)
    }

    fn erase(&self) -> String {
        if self.drawn == 0 { String::new() } else { format!("\x1b[{}F\x1b[J", self.drawn) }
    }
}
