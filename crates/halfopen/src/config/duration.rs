//! Durations as text: `30s`, `500ms`, `1m30s`.

use std::fmt;
use std::time::Duration;

const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Parses a duration in the format of documents: whole numbers, each with its unit (`d`, `h`, `m`, `s`, `ms`,
/// `us` or `µs`, `ns`), such as `30s`, `500ms` or `1m 30s`.
///
/// # Errors
///
/// Returns [`DurationError`] if the text has any other format. The error quotes the text and explains the problem.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(halfopen::parse_duration("1m30s")?, Duration::from_secs(90));
/// assert_eq!(
///     halfopen::parse_duration("30").unwrap_err().why(),
///     "30 has no unit; write `30s` for seconds",
/// );
/// # Ok::<(), halfopen::DurationError>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    parse(text).map_err(|why| DurationError { text: text.to_owned(), why })
}

/// Formats a duration exactly, in the largest units. [`parse_duration`] is the inverse.
///
/// # Examples
///
/// ```
/// assert_eq!(halfopen::format_duration(std::time::Duration::from_millis(90_500)), "1m30s500ms");
/// ```
pub fn format_duration(duration: Duration) -> String {
    print(duration).to_string()
}

/// The error of a text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationError {
    text: String,
    why: String,
}

impl DurationError {
    /// Returns the problem, worded to follow a colon.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {EXPECTED}: {}", self.text, self.why)
    }
}

impl std::error::Error for DurationError {}

const EXPECTED: &str = r#"a duration such as "30s", "500ms" or "1m30s""#;

/// Formats a duration exactly, in the largest units. [`parse`] is the inverse.
pub(super) fn print(duration: Duration) -> impl fmt::Display {
    struct Printed(u128);
    impl fmt::Display for Printed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut remaining = self.0;
            if remaining == 0 {
                return f.write_str("0s");
            }
            for (unit, nanos) in UNITS {
                if remaining >= nanos {
                    write!(f, "{}{unit}", remaining / nanos)?;
                    remaining %= nanos;
                }
            }
            Ok(())
        }
    }
    Printed(duration.as_nanos())
}

/// Parses whole numbers, each with its unit.
fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".into());
    }
    let mut total = 0_u128;
    let mut smallest: Option<(&str, u128)> = None;
    while !rest.is_empty() {
        let (digits, tail) = split(rest, |c| c.is_ascii_digit());
        let (unit, tail) = split(tail.trim_start(), |c| c.is_alphabetic());
        if digits.is_empty() {
            return Err(match rest.strip_prefix('-') {
                Some(_) => format!("`{rest}` is negative"),
                None => format!("`{rest}` does not start with a whole number"),
            });
        }
        if unit.is_empty() && !tail.is_empty() {
            return Err(
                fraction(digits, tail).unwrap_or_else(|| format!("`{tail}` after {digits} is not a unit"))
            );
        }
        if unit.is_empty() {
            return Err(format!("{digits} has no unit; write `{digits}s` for seconds"));
        }
        let nanos = nanos_of(unit).ok_or_else(|| no_unit(digits, unit))?;
        // `3s3s` and `1s1h` are most likely typing errors.
        if let Some((before, _)) = smallest.filter(|(_, smallest)| *smallest <= nanos) {
            return Err(format!(
                "`{unit}` follows `{before}`; write each unit once, the largest first, as in 1h30m"
            ));
        }
        smallest = Some((unit, nanos));
        let part = digits.parse::<u128>().ok().and_then(|count| count.checked_mul(nanos));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|&total| total <= Duration::MAX.as_nanos())
            .ok_or("it exceeds the maximum duration")?;
        rest = tail.trim_start();
    }
    Ok(from_nanos(total))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn nanos_of(unit: &str) -> Option<u128> {
    match unit {
        "d" => Some(24 * 3_600_000_000_000),
        "µs" | "μs" => Some(1_000),
        _ => UNITS.iter().find(|(name, _)| *name == unit).map(|&(_, nanos)| nanos),
    }
}

fn no_unit(digits: &str, unit: &str) -> String {
    let why = format!("`{unit}` is not one of the units d, h, m, s, ms, us, ns");
    match meant_by(unit) {
        Some(meant) => format!("{why}; write `{digits}{meant}`"),
        None => why,
    }
}

/// Returns the unit for a word such as `minutes`.
fn meant_by(word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 7] = [
        ("d", "day days"),
        ("h", "hr hrs hour hours"),
        ("m", "min mins minute minutes"),
        ("s", "sec secs second seconds"),
        ("ms", "msec msecs millis millisecond milliseconds"),
        ("us", "usec usecs micros microsecond microseconds"),
        ("ns", "nsec nsecs nanos nanosecond nanoseconds"),
    ];
    let word = word.to_lowercase();
    let is_meant =
        |(unit, words): &&(&str, &str)| word == *unit || words.split(' ').any(|other| other == word);
    WORDS.iter().find(is_meant).map(|(unit, _)| *unit)
}

/// Returns the suggestion for a number with a decimal point, such as `1.5m`.
fn fraction(digits: &str, tail: &str) -> Option<String> {
    let (decimals, unit) = split(tail.strip_prefix(['.', ','])?, |c| c.is_ascii_digit());
    let nanos = nanos_of(unit.trim())?;
    let scale = 10_u128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let parts = format!("{digits}{decimals}").parse::<u128>().ok()?.checked_mul(nanos)?;
    let total = from_nanos(parts / scale);
    Some(format!("{digits}{tail} is not a whole number; write `{}`", print(total)))
}

fn from_nanos(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, (nanos % 1_000_000_000) as u32)
}

#[cfg(feature = "serde")]
pub(super) use text::Text;

#[cfg(feature = "serde")]
mod text {
    use std::fmt;
    use std::time::Duration;

    use super::{EXPECTED, parse_duration, print};

    /// A duration that is written as a string.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::config) struct Text(pub(in crate::config) Duration);

    impl serde::Serialize for Text {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&print(self.0))
        }
    }

    impl<'de> serde::Deserialize<'de> for Text {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
            deserializer.deserialize_str(Reader)
        }
    }

    struct Reader;

    impl serde::de::Visitor<'_> for Reader {
        type Value = Text;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
            parse_duration(text).map(Text).map_err(E::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_printed_in_its_largest_units() {
        let printed = |nanos| print(Duration::from_nanos(nanos)).to_string();
        assert_eq!(printed(0), "0s");
        assert_eq!(printed(30_000_000_000), "30s");
        assert_eq!(printed(500_000_000), "500ms");
        assert_eq!(printed(90_000_000_000), "1m30s");
        assert_eq!(printed(3_600_000_000_001), "1h1ns");
    }

    #[test]
    fn a_duration_reads_as_it_was_printed() {
        let nanos = [0, 1, 999, 1_000, 1_500_000_000, 90_000_000_000, 3_600_000_000_000, u64::MAX];
        for duration in nanos.map(Duration::from_nanos).into_iter().chain([Duration::MAX]) {
            assert_eq!(parse(&print(duration).to_string()), Ok(duration));
        }
    }

    #[test]
    fn a_duration_may_have_spaces_and_any_unit() {
        let same = ["1m30s", "90s", " 1m 30s ", "90 s", "90000ms", "1m30000000us", "90000000µs"];
        for text in same {
            assert_eq!(parse(text), Ok(Duration::from_secs(90)), "{text}");
        }
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
    }

    #[test]
    fn an_error_explains_the_problem() {
        let why = |text: &str| parse(text).unwrap_err();
        assert_eq!(why(""), "it is empty");
        assert_eq!(why("30"), "30 has no unit; write `30s` for seconds");
        assert_eq!(why("1.5m"), "1.5m is not a whole number; write `1m30s`");
        assert_eq!(why("1.x"), "`.x` after 1 is not a unit");
        assert_eq!(why("-5s"), "`-5s` is negative");
        assert_eq!(why("5 sec"), "`sec` is not one of the units d, h, m, s, ms, us, ns; write `5s`");
        assert_eq!(why("5S"), "`S` is not one of the units d, h, m, s, ms, us, ns; write `5s`");
        assert_eq!(why("5w"), "`w` is not one of the units d, h, m, s, ms, us, ns");
        let order = "write each unit once, the largest first, as in 1h30m";
        assert_eq!(why("3s3s"), format!("`s` follows `s`; {order}"));
        assert_eq!(why("1s1h"), format!("`h` follows `s`; {order}"));
        assert_eq!(why("1us 1µs"), format!("`µs` follows `us`; {order}"));
        assert_eq!(why("99999999999999999999d"), "it exceeds the maximum duration");
        assert_eq!(
            why(&"9".repeat(60)),
            format!("{0} has no unit; write `{0}s` for seconds", "9".repeat(60))
        );
    }
}
