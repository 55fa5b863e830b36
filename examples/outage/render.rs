use std::env;

use halfopen::State;

use crate::script::Health;

/// Adds colour to text, if the output is a terminal and `NO_COLOR` is not set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    colour: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hue {
    Green,
    Yellow,
    Red,
    Magenta,
    Blue,
    Dim,
    Bold,
}

/// A cell of a band. Its character identifies the state even without colour.
pub(crate) type Cell = (char, Hue);

impl Palette {
    pub(crate) fn new(on_terminal: bool) -> Self {
        let asked_not_to = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: on_terminal && !asked_not_to && !is_dumb() }
    }

    pub(crate) fn text(self, hue: Hue, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", hue.code()) } else { text.to_owned() }
    }

    /// Joins cells. Neighbours of one hue share an escape sequence.
    pub(crate) fn band(self, cells: &[Cell]) -> String {
        cells
            .chunk_by(|left, right| left.1 == right.1)
            .map(|run| self.text(run[0].1, &run.iter().map(|cell| cell.0).collect::<String>()))
            .collect()
    }
}

impl Hue {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Magenta => "35",
            Self::Blue => "36",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// Returns `true` if `TERM` declares a terminal without escape sequences.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

pub(crate) fn of_state(state: State) -> Cell {
    match state {
        State::Closed => ('━', Hue::Green),
        State::HalfOpen => ('▒', Hue::Yellow),
        State::Open | State::ForcedOpen => ('█', Hue::Red),
        _ => ('─', Hue::Dim),
    }
}

pub(crate) fn of_health(health: Health) -> Cell {
    match health {
        Health::Healthy => ('━', Hue::Green),
        Health::BrownOut => ('~', Hue::Yellow),
        Health::Dead => ('x', Hue::Red),
        Health::Refusing => ('!', Hue::Magenta),
        Health::Hang => ('?', Hue::Red),
        Health::Slowed => ('v', Hue::Yellow),
        Health::Recovering => ('/', Hue::Blue),
    }
}
