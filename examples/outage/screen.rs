use std::io;

use crate::lines::Lines;
use crate::live::Live;
use crate::output::Output;
use crate::protection::Transition;
use crate::render::{self, Palette};
use crate::timeline::View;
use crate::words;

/// The output of a run.
pub(crate) enum Screen {
    /// A picture that is redrawn in place, with the transitions scrolling away above it.
    Live(Live),
    /// A line per second and a line per transition, for files and pipes.
    Lines(Lines),
    /// No output: stdout is reserved for the JSON document.
    Silent,
}

impl Screen {
    /// With `json` the timeline goes to stderr, and only if that is a terminal.
    pub(crate) fn new(json: bool) -> Self {
        match (json, Output::Stderr.is_terminal()) {
            (false, _) => Self::on(Output::Stdout),
            (true, true) => Self::on(Output::Stderr),
            (true, false) => Self::Silent,
        }
    }

    fn on(output: Output) -> Self {
        Live::new(output).map_or_else(|| Self::Lines(Lines::new(output)), Self::Live)
    }

    /// Writes a line that stays.
    pub(crate) fn say(&self, line: &str) -> io::Result<()> {
        match self {
            Self::Live(live) => live.say(line),
            Self::Lines(lines) => lines.say(line),
            Self::Silent => Ok(()),
        }
    }

    pub(crate) fn transition(&mut self, transition: &Transition, view: &View<'_>) -> io::Result<()> {
        match self {
            Self::Live(live) => live.draw(Some(&line_of(transition, live.palette())), view),
            Self::Lines(lines) => {
                lines.draw(view)?;
                lines.say(&line_of(transition, lines.palette()))
            }
            Self::Silent => Ok(()),
        }
    }

    pub(crate) fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        match self {
            Self::Live(live) => live.draw(None, view),
            Self::Lines(lines) => lines.draw(view),
            Self::Silent => Ok(()),
        }
    }
}

fn line_of(transition: &Transition, palette: Palette) -> String {
    let text = format!("{}  {}", words::moment(transition.at), words::transition(transition));
    palette.text(render::of_state(transition.change.to).1, &text)
}
