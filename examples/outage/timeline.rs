use std::time::Duration;

use halfopen::{CircuitBreaker, State};

use crate::ledger::{Ledger, Tick};
use crate::log::Log;
use crate::pace::Pace;
use crate::render::{self, Cell, Hue, Palette};
use crate::script::{Health, Script};
use crate::words;

/// Columns before and after the bars: the name of the row, and its sum.
const NAME: usize = 13;
const SUM: usize = 6;

/// The data of the picture.
pub(crate) struct View<'a> {
    pub(crate) pace: Pace,
    pub(crate) script: &'a Script,
    pub(crate) bare: &'a Ledger,
    pub(crate) protected: &'a Ledger,
    pub(crate) log: &'a Log,
    pub(crate) breaker: &'a CircuitBreaker,
    /// The tallest bar stands for this many requests in a second.
    pub(crate) tallest: u64,
}

/// The seconds that fit on the screen, and how they are drawn.
struct Strip<'a> {
    view: &'a View<'a>,
    palette: Palette,
    first: usize,
    columns: usize,
    now: Duration,
}

impl View<'_> {
    /// The whole picture, line by line, each of at most `width` columns.
    pub(crate) fn lines(&self, width: usize, palette: Palette) -> Vec<String> {
        let now = self.pace.now().min(self.script.length());
        let second = as_index(now);
        let most = as_index(self.script.length()).max(1);
        let columns = width.saturating_sub(NAME + SUM).clamp(1, most);
        let first = (second + 1).min(most).saturating_sub(columns);
        Strip { view: self, palette, first, columns, now }.lines(width)
    }

    /// The current state of the breaker.
    pub(crate) fn breaker_now(&self) -> String {
        let snapshot = self.breaker.snapshot();
        let state = words::state(snapshot.state);
        match snapshot.retry_after {
            Some(wait) if snapshot.state == State::Open => {
                format!("{state}, probes in {}", words::seconds(self.pace.scripted(wait)))
            }
            Some(_) | None => state.to_owned(),
        }
    }
}

impl Strip<'_> {
    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = vec![String::new(), self.headline(width), self.axis()];
        if self.is_scripted() {
            lines.push(self.band("server", &self.server()));
        }
        lines.push(self.band("breaker", &self.breaker()));
        lines.push("bare".to_owned());
        let bare = self.view.bare.account().ticks;
        lines.push(self.bars("answered", Hue::Green, &bare, |tick| tick.answered));
        lines.push(self.bars("failed", Hue::Red, &bare, |tick| tick.failed));
        lines.push("protected".to_owned());
        let protected = self.view.protected.account().ticks;
        lines.push(self.bars("answered", Hue::Green, &protected, |tick| tick.answered));
        lines.push(self.bars("failed", Hue::Red, &protected, |tick| tick.failed));
        lines.push(self.bars("rejected", Hue::Yellow, &protected, |tick| tick.rejected));
        lines.extend(self.legend(width));
        lines
    }

    fn headline(&self, width: usize) -> String {
        let health = self.view.script.health_at(self.now);
        let server = health.map_or_else(String::new, |health| format!("  server {}", health.name()));
        let text = format!(
            "{} of {}{server}  breaker {}",
            words::moment(self.now),
            words::moment(self.view.script.length()),
            self.view.breaker_now()
        );
        self.palette.text(Hue::Bold, &cut(&text, width))
    }

    /// A number at every tenth second that has enough space.
    fn axis(&self) -> String {
        let mut marks = vec![' '; self.columns];
        for column in 0..self.columns {
            let second = self.first + column;
            let text = second.to_string();
            if second.is_multiple_of(10) && column + text.len() <= self.columns {
                marks.splice(column..column + text.len(), text.chars());
            }
        }
        let marks: String = marks.into_iter().collect();
        self.palette.text(Hue::Dim, format!("{:NAME$}{marks}", "").trim_end())
    }

    fn server(&self) -> Vec<Cell> {
        let middle = |second: usize| Duration::from_secs(second as u64) + Duration::from_millis(500);
        self.seconds()
            .filter_map(|second| self.view.script.health_at(middle(second)))
            .map(render::of_health)
            .collect()
    }

    fn breaker(&self) -> Vec<Cell> {
        self.seconds().map(|second| render::of_state(self.view.log.state_in_second(second as u64))).collect()
    }

    fn band(&self, name: &str, cells: &[Cell]) -> String {
        format!("{name:NAME$}{}", self.palette.band(cells))
    }

    fn bars(&self, name: &str, hue: Hue, ticks: &[Tick], count: impl Fn(&Tick) -> u64) -> String {
        let bars: String = self
            .seconds()
            .map(|second| bar(ticks.get(second).map_or(0, &count), self.view.tallest))
            .collect();
        let gap = " ".repeat(self.columns - bars.chars().count());
        let sum: u64 = ticks.iter().map(&count).sum();
        format!("  {name:width$}{}{gap}{sum:>SUM$}", self.palette.text(hue, &bars), width = NAME - 2)
    }

    /// The seconds to draw, from the first that fits to the current one.
    fn seconds(&self) -> std::ops::Range<usize> {
        let end = (as_index(self.now) + 1).min(self.first + self.columns);
        self.first..end.max(self.first)
    }

    fn legend(&self, width: usize) -> Vec<String> {
        let healths = [
            Health::Healthy,
            Health::BrownOut,
            Health::Dead,
            Health::Recovering,
            Health::Refusing,
            Health::Hang,
            Health::Slowed,
        ];
        let states = [State::Closed, State::Open, State::HalfOpen];
        let line = |signs: Vec<String>| self.palette.text(Hue::Dim, &cut(&signs.join("  "), width));
        let sign = |cell: Cell, name: &str| format!("{} {name}", cell.0);
        let mut lines = Vec::new();
        if self.is_scripted() {
            lines.push(line(healths.map(|health| sign(render::of_health(health), health.name())).to_vec()));
        }
        lines.push(line(states.map(|state| sign(render::of_state(state), words::state(state))).to_vec()));
        lines
    }

    fn is_scripted(&self) -> bool {
        !self.view.script.scenes().is_empty()
    }
}

/// One of eight heights: zero is blank, and any other value is visible.
fn bar(count: u64, tallest: u64) -> char {
    const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let height = (count * 8).div_ceil(tallest.max(1)).min(8);
    HEIGHTS[usize::try_from(height).unwrap_or(8)]
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

fn as_index(time: Duration) -> usize {
    usize::try_from(time.as_secs()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_blank_only_for_nothing() {
        assert_eq!([0, 1, 15, 30, 99].map(|count| bar(count, 30)), [' ', '▁', '▄', '█', '█']);
    }
}
