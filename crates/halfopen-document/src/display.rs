//! Text from outside for terminals and logs: escaped, and of bounded length.

use std::borrow::Cow;

use halfopen::adapter::{Printable, without_passwords};
use unicode_width::UnicodeWidthChar;

/// The longest name or value that a sentence quotes, in characters.
const LONGEST_QUOTE: usize = 96;

/// The longest sentence, in characters.
const LONGEST_SENTENCE: usize = 1_000;

/// The longest excerpt of a line, in characters.
const LONGEST_EXCERPT: usize = 160;

/// How much of a long line is shown before the span, in characters.
const LEAD: usize = 60;

/// Returns true for control characters, line separators and bidirectional controls, which can steer a terminal,
/// forge a line of a log or reorder a text.
pub(crate) fn is_steering(c: char) -> bool {
    !halfopen::adapter::is_printable(c)
}

/// Displays a whole text with steering characters escaped, as in `\u{1b}`.
///
/// Escaped rather than replaced, because the author of a document needs to see which character it is.
pub(crate) fn printable(text: &str) -> Printable<'_> {
    Printable::new(text).whole().escaped()
}

/// Returns a name or value for use in a message: at most 97 characters, with `…` in place of the middle.
pub fn quoted(text: &str) -> Cow<'_, str> {
    // A character has at least one byte.
    if text.len() <= LONGEST_QUOTE {
        return Cow::Borrowed(text);
    }
    shortened(text, LONGEST_QUOTE)
}

/// Returns a message of bounded length, with steering characters escaped and without the passwords of URLs.
pub(crate) fn sentence(text: String) -> String {
    let hidden = match without_passwords(&text) {
        Cow::Owned(hidden) => Some(hidden),
        Cow::Borrowed(_) => None,
    };
    let text = hidden.unwrap_or(text);
    let text = if text.chars().any(is_steering) { printable(&text).to_string() } else { text };
    if text.len() <= LONGEST_SENTENCE { text } else { shortened(&text, LONGEST_SENTENCE).into_owned() }
}

// The middle is cut out, as names tend to differ at their ends.
fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    let half = longest / 2;
    let Some((head, _)) = text.char_indices().nth(half) else { return Cow::Borrowed(text) };
    match text[head..].char_indices().rev().nth(half) {
        Some((tail, _)) if tail > 0 => Cow::Owned(format!("{}…{}", &text[..head], &text[head + tail..])),
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// The part of a line around a span, and the mark below it, both in columns of a terminal.
pub(crate) struct Excerpt {
    pub(crate) line: String,
    pub(crate) mark: String,
}

impl Excerpt {
    /// Cuts an excerpt from the parts of a line before, inside and after a span.
    pub(crate) fn of(parts: [&str; 3]) -> Excerpt {
        let parts = parts.map(without_passwords);
        let [before, inside, after] = [&*parts[0], &*parts[1], &*parts[2]];
        let is_long =
            before.chars().chain(inside.chars()).chain(after.chars()).nth(LONGEST_EXCERPT).is_some();
        let [before, inside, after] = if is_long {
            // The marked part and a little before it stay visible, wherever in the line they are.
            let before = tail(before, LEAD);
            let inside = head(inside, LONGEST_EXCERPT - 1 - before.chars().count());
            let room = (LONGEST_EXCERPT - 1).saturating_sub(before.chars().count() + inside.chars().count());
            let after = head(after, room);
            [before, inside, after]
        } else {
            [before, inside, after].map(Cow::Borrowed)
        };
        let (before, inside, after) = (columns(&before), columns(&inside), columns(&after));
        Excerpt {
            line: format!("{}{}{}", before.text, inside.text, after.text),
            mark: format!("{}{}", " ".repeat(before.width), "^".repeat(inside.width.max(1))),
        }
    }
}

/// Returns the first characters, and `…` for the others.
fn head(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Returns the last characters, and `…` for the others.
fn tail(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().rev().nth(longest) {
        Some((at, c)) => Cow::Owned(format!("…{}", &text[at + c.len_utf8()..])),
        None => Cow::Borrowed(text),
    }
}

struct Columns {
    text: String,
    width: usize,
}

/// Returns a text whose width in a terminal is the one that is counted.
fn columns(text: &str) -> Columns {
    let mut columns = Columns { text: String::with_capacity(text.len()), width: 0 };
    for c in text.chars() {
        let shown = match c {
            // One column each, so that the mark below stays under its word; how wide a tab is only the terminal
            // knows.
            '\t' => ' ',
            c if is_steering(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        };
        columns.text.push(shown);
        columns.width += shown.width().unwrap_or(0);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(before: &str, inside: &str, after: &str) -> (String, String) {
        let excerpt = Excerpt::of([before, inside, after]);
        (excerpt.line, excerpt.mark)
    }

    #[test]
    fn a_mark_stands_under_wide_characters_too() {
        assert_eq!(excerpt("重要: ", "値", " x"), ("重要: 値 x".into(), "      ^^".into()));
        assert_eq!(excerpt("e\u{301}: ", "3", ""), ("e\u{301}: 3".into(), "   ^".into()));
        assert_eq!(excerpt("\t", "a\u{1b}", ""), (" a\u{fffd}".into(), " ^^".into()));
    }

    #[test]
    fn of_a_long_line_what_is_near_is_shown() {
        let (line, mark) = excerpt(&"a".repeat(5_000), "key", &"b".repeat(5_000));
        assert_eq!(line, format!("…{}key{}…", "a".repeat(60), "b".repeat(95)));
        assert_eq!(mark, format!("{}^^^", " ".repeat(61)));
        let (line, _) = excerpt("", &"k".repeat(5_000), "");
        assert_eq!(line.chars().count(), LONGEST_EXCERPT);
    }

    #[test]
    fn steering_characters_are_escaped() {
        let steering = "a\u{1b}[31m\nb\u{202e}c\u{2028}\u{85}";
        assert_eq!(printable(steering).to_string(), "a\\u{1b}[31m\\nb\\u{202e}c\\u{2028}\\u{85}");
        assert_eq!(sentence("plain ü 値".into()), "plain ü 値");
    }

    #[test]
    fn a_password_is_hidden_wherever_it_is() {
        assert_eq!(sentence("a://u:p@h".into()), "a://u:***@h");
        let (line, mark) = excerpt("url: ", "a://u:secret@h", " # x");
        assert_eq!((&*line, &*mark), ("url: a://u:***@h # x", "     ^^^^^^^^^^^"));
    }

    #[test]
    fn a_long_name_loses_its_middle() {
        assert_eq!(quoted("payments"), "payments");
        let long = format!("{}{}", "a".repeat(5_000), "z".repeat(5_000));
        let shown = quoted(&long);
        assert_eq!(shown.chars().count(), LONGEST_QUOTE + 2);
        assert!(shown.starts_with("aaa") && shown.ends_with("zzz"), "{shown}");
        assert_eq!(quoted(&"ü".repeat(LONGEST_QUOTE)).chars().count(), LONGEST_QUOTE);
    }
}
