use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use terminal_size::{Height, Width};

use crate::paint::{self, Hue, Paint};
use crate::protection::Transition;
use crate::timeline::View;
use crate::words;

/// Below this the picture would scroll itself away.
const LEAST_ROWS: u16 = 18;
const LEAST_COLUMNS: u16 = 50;
/// Wider than this, a line is hard to follow.
const MOST_COLUMNS: u16 = 120;

const SECOND: Duration = Duration::from_secs(1);

/// Where the run is shown.
pub(crate) enum Screen {
    /// A picture that is drawn over and over, with the transitions scrolling away above it.
    Live(Live),
    /// A line a second and a line a transition, for files and pipes.
    Lines(Lines),
    /// Nothing: stdout belongs to the JSON document.
    Silent,
}

pub(crate) struct Live {
    output: Box<dyn Write>,
    paint: Paint,
    columns: usize,
    drawn: usize,
}

pub(crate) struct Lines {
    output: Box<dyn Write>,
    paint: Paint,
    told: u64,
}

impl Screen {
    /// With `json` the timeline goes to stderr, and only if somebody looks at it there.
    pub(crate) fn new(json: bool) -> Self {
        match (json, io::stderr().is_terminal()) {
            (false, _) => Self::on(io::stdout(), terminal_size::terminal_size_of(io::stdout())),
            (true, true) => Self::on(io::stderr(), terminal_size::terminal_size_of(io::stderr())),
            (true, false) => Self::Silent,
        }
    }

    fn on(output: impl Write + IsTerminal + 'static, size: Option<(Width, Height)>) -> Self {
        let paint = Paint::of(&output);
        match size {
            Some((Width(columns), Height(rows)))
                if output.is_terminal()
                    && !paint::is_dumb()
                    && rows >= LEAST_ROWS
                    && columns >= LEAST_COLUMNS =>
            {
                let columns = usize::from(columns.min(MOST_COLUMNS)) - 1;
                Self::Live(Live { output: Box::new(output), paint, columns, drawn: 0 })
            }
            Some(_) | None => Self::Lines(Lines { output: Box::new(output), paint, told: 0 }),
        }
    }

    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Live(live) => live.above(line),
            Self::Lines(lines) => writeln!(lines.output, "{line}"),
            Self::Silent => Ok(()),
        }
    }

    pub(crate) fn transition(&mut self, transition: &Transition, view: &View<'_>) -> io::Result<()> {
        let line = |paint: Paint| {
            let text = format!("{}  {}", words::moment(transition.at), words::transition(transition));
            paint.text(paint::of_state(transition.change.to).1, &text)
        };
        match self {
            Self::Live(live) => {
                live.above(&line(live.paint))?;
                live.draw(view)
            }
            Self::Lines(lines) => {
                lines.draw(view)?;
                writeln!(lines.output, "{}", line(lines.paint))
            }
            Self::Silent => Ok(()),
        }
    }

    pub(crate) fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        match self {
            Self::Live(live) => live.draw(view),
            Self::Lines(lines) => lines.draw(view),
            Self::Silent => Ok(()),
        }
    }
}

impl Live {
    /// Takes the picture away and writes a line that stays; the next `draw` comes below it.
    fn above(&mut self, line: &str) -> io::Result<()> {
        let erase = self.erase();
        self.drawn = 0;
        writeln!(self.output, "{erase}{line}")
    }

    fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        let lines = view.lines(self.columns, self.paint);
        // One write for the whole picture, or it would flicker.
        let mut picture = self.erase();
        for line in &lines {
            picture.push_str(line);
            picture.push('\n');
        }
        self.drawn = lines.len();
        self.output.write_all(picture.as_bytes())?;
        self.output.flush()
    }

    fn erase(&self) -> String {
        if self.drawn == 0 { String::new() } else { format!("\x1b[{}F\x1b[J", self.drawn) }
    }
}

impl Lines {
    /// A line for each second that is over and not told yet.
    fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        let over = view.pace.now().min(view.script.length()).as_secs();
        while self.told < over {
            self.second(self.told, view)?;
            self.told += 1;
        }
        self.output.flush()
    }

    /// Dated at the end of the second, so that the lines are in order.
    fn second(&mut self, second: u64, view: &View<'_>) -> io::Result<()> {
        let from = Duration::from_secs(second);
        let server = view.script.health_at(from).map_or("", |health| health.name());
        let state = view.chronicle.state_in_second(second);
        let bare = view.bare.tick(second);
        let protected = view.protected.tick(second);
        let breaker = self.paint.text(paint::of_state(state).1, &format!("{:9}", words::state(state)));
        let server = self.paint.text(Hue::Bold, &format!("{server:10}"));
        writeln!(
            self.output,
            "{}  {server}  {breaker}  bare {:3} answered {:3} failed | protected {:3} answered {:3} failed {:3} rejected",
            words::moment(from + SECOND),
            bare.answered,
            bare.failed,
            protected.answered,
            protected.failed,
            protected.rejected,
        )
    }
}
