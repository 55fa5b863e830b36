//! Formatting for people: untrusted text, durations and percentages.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// Shows a text from outside, such as a breaker's name, so that it cannot steer a log or a terminal.
///
/// Characters that are not [printable](is_printable) are replaced by U+FFFD, or [escaped](Self::escaped), and a text
/// of more than 128 characters ends with an ellipsis in their place.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::Printable;
///
/// assert_eq!(Printable::new("tenant\n7").to_string(), "tenant\u{fffd}7");
/// assert_eq!(Printable::new("payments").up_to(5).to_string(), "paym…");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a> {
    text: &'a str,
    longest: usize,
    escaped: bool,
}

/// The default maximum number of characters.
const LONGEST: usize = 128;

impl<'a> Printable<'a> {
    /// Shows at most 128 characters of a text.
    pub fn new(text: &'a str) -> Printable<'a> {
        Printable { text, longest: LONGEST, escaped: false }
    }

    /// Shows at most `longest` characters, the ellipsis included.
    pub fn up_to(self, longest: usize) -> Printable<'a> {
        Printable { longest, ..self }
    }

    /// Shows the whole text, however long.
    pub fn whole(self) -> Printable<'a> {
        self.up_to(usize::MAX)
    }

    /// Shows characters that are not printable as escapes, such as `\u{1b}`, for a reader who has to find them in the
    /// text's source.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::adapter::Printable;
    ///
    /// assert_eq!(Printable::new("key\u{200e}").escaped().to_string(), "key\\u{200e}");
    /// ```
    pub fn escaped(self) -> Printable<'a> {
        Printable { escaped: true, ..self }
    }

    /// Returns the part of the text that fits, and whether it was cut.
    fn cut(&self) -> (&'a str, bool) {
        // A character has at least one byte, so the characters of most texts need not be counted.
        if self.text.len() <= self.longest || self.text.chars().nth(self.longest).is_none() {
            return (self.text, false);
        }
        let kept = self.text.char_indices().nth(self.longest.saturating_sub(1));
        (kept.map_or(self.text, |(end, _)| &self.text[..end]), true)
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, is_cut) = self.cut();
        text.chars().try_for_each(|c| match (is_printable(c), self.escaped) {
            (true, _) => f.write_char(c),
            (false, true) => write!(f, "{}", c.escape_default()),
            (false, false) => f.write_char(REPLACEMENT),
        })?;
        if is_cut && self.longest > 0 { f.write_char('…') } else { Ok(()) }
    }
}

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Returns whether a character can be shown in a log or a terminal without steering it: it is not a control
/// character, does not end a line and does not change the direction in which text is laid out.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::is_printable;
///
/// assert!("zahlungen-für-€".chars().all(is_printable));
/// assert!(!['\n', '\u{1b}', '\u{2028}', '\u{202e}'].into_iter().any(is_printable));
/// ```
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !ends_a_line(c) && !is_bidirectional(c)
}

/// Returns whether this is one of the line ends that [`char::is_control`] does not cover.
fn ends_a_line(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// The marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm.
fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A duration for people, with two units at most: "4.2s", "350ms", "2m 5s".
pub(crate) struct HumanDuration(pub(crate) Duration);

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = self.0;
        let seconds = duration.as_secs();
        if duration < Duration::from_millis(1) && !duration.is_zero() {
            return write!(f, "{duration:.0?}");
        }
        match seconds {
            0 => write!(f, "{}ms", duration.as_millis()),
            1..60 if duration.subsec_millis() < 50 => write!(f, "{seconds}s"),
            1..60 => write!(f, "{:.1}s", duration.as_secs_f64()),
            60..3600 if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            60..3600 => write!(f, "{}m {}s", seconds / 60, seconds % 60),
            _ if seconds / 60 % 60 == 0 => write!(f, "{}h", seconds / 3600),
            _ => write!(f, "{}h {}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// A percentage with at most one decimal: "62", "0.5", "33.3".
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_steer_a_terminal_are_replaced() {
        let steering = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}";
        for c in steering.chars() {
            assert_eq!(Printable::new(&format!("a{c}b")).to_string(), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn an_escaped_text_shows_which_character_it_was() {
        let shown = Printable::new("a\n\u{1b}[2Jé\u{2028}").escaped().to_string();
        assert_eq!(shown, "a\\n\\u{1b}[2Jé\\u{2028}");
        assert_eq!(
            Printable::new("\0\0\0").escaped().up_to(2).to_string(),
            "\\u{0}…",
            "cut before it is escaped"
        );
    }

    #[test]
    fn other_characters_are_shown_as_they_are() {
        let name = "zahlungen für €, 决済 👩‍💻 (a/b) `c`";
        assert_eq!(Printable::new(name).to_string(), name);
    }

    #[test]
    fn a_long_text_is_cut_by_characters() {
        for (length, shown) in [(127, 127), (128, 128), (129, 128), (10_000, 128)] {
            let text = "é".repeat(length);
            let text = Printable::new(&text).to_string();
            assert_eq!(text.chars().count(), shown, "{length}");
            assert_eq!(text.ends_with('…'), length > 128, "{length}");
        }
        assert_eq!(Printable::new("abc").up_to(0).to_string(), "");
        assert_eq!(Printable::new("abc").up_to(1).to_string(), "…");
        assert_eq!(Printable::new(&"x".repeat(1_000)).whole().to_string().len(), 1_000);
    }
}
