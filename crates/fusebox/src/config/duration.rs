//! Durations as people write them: `30s`, `500ms`, `1m30s`.

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

/// Every nanosecond of a duration, in the largest units; [`parse`] reads it back.
pub(super) fn print(duration: Duration) -> impl fmt::Display {
    struct Printed(u128);
    impl fmt::Display for Printed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut left = self.0;
            if left == 0 {
                return f.write_str("0s");
            }
            for (unit, nanos) in UNITS {
                if left >= nanos {
                    write!(f, "{}{unit}", left / nanos)?;
                    left %= nanos;
                }
            }
            Ok(())
        }
    }
    Printed(duration.as_nanos())
}

#[cfg(feature = "serde")]
pub(super) use text::Text;

#[cfg(feature = "serde")]
mod text {
    use std::fmt;
    use std::time::Duration;

    use super::{UNITS, print};

    const EXPECTED: &str = r#"a duration such as "30s", "500ms" or "1m30s""#;

    /// Reads whole numbers, each with its unit: `d`, `h`, `m`, `s`, `ms`, `us` (or `µs`), `ns`.
    pub(super) fn parse(text: &str) -> Result<Duration, String> {
        let say = |why: String| format!("`{text}` is not {EXPECTED}: {why}");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(say("it is empty".into()));
        }
        let mut total = 0_u128;
        while !rest.is_empty() {
            let (digits, tail) = split(rest, |c| c.is_ascii_digit());
            let (unit, tail) = split(tail.trim_start(), |c| c.is_alphabetic());
            if digits.is_empty() {
                return Err(say(format!("`{rest}` does not begin with a whole number")));
            }
            if unit.is_empty() && !tail.is_empty() {
                return Err(say(format!("after {digits} comes `{tail}`, which is no unit")));
            }
            if unit.is_empty() {
                return Err(say(format!("{digits} has no unit; write `{digits}s` for seconds")));
            }
            let nanos = nanos_of(unit)
                .ok_or_else(|| say(format!("`{unit}` is none of the units d, h, m, s, ms, us, ns")))?;
            let part = digits.parse::<u128>().ok().and_then(|count| count.checked_mul(nanos));
            total = part
                .and_then(|part| total.checked_add(part))
                .filter(|&total| total <= Duration::MAX.as_nanos())
                .ok_or_else(|| say("it is longer than can be counted".into()))?;
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

    fn from_nanos(nanos: u128) -> Duration {
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        Duration::new(seconds, (nanos % 1_000_000_000) as u32)
    }

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
            parse(text).map(Text).map_err(E::custom)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_duration_reads_as_it_was_printed() {
            let nanos = [0, 1, 999, 1_000, 1_500_000_000, 90_000_000_000, 3_600_000_000_000, u64::MAX];
            for duration in nanos.map(Duration::from_nanos).into_iter().chain([Duration::MAX]) {
                assert_eq!(parse(&print(duration).to_string()), Ok(duration));
            }
        }

        #[test]
        fn a_duration_may_be_written_with_room_and_in_any_unit() {
            let same = ["1m30s", "90s", " 1m 30s ", "90 s", "90000ms", "1m30000000us", "90000000µs"];
            for text in same {
                assert_eq!(parse(text), Ok(Duration::from_secs(90)), "{text}");
            }
            assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        }

        #[test]
        fn what_is_no_duration_is_told_why() {
            let why = |text: &str| {
                let error = parse(text).unwrap_err();
                println!("{error}");
                error.split_once(": ").unwrap().1.to_owned()
            };
            assert_eq!(why(""), "it is empty");
            assert_eq!(why("30"), "30 has no unit; write `30s` for seconds");
            assert_eq!(why("1.5s"), "after 1 comes `.5s`, which is no unit");
            assert_eq!(why("-5s"), "`-5s` does not begin with a whole number");
            assert_eq!(why("5 sec"), "`sec` is none of the units d, h, m, s, ms, us, ns");
            assert_eq!(why("99999999999999999999d"), "it is longer than can be counted");
            assert_eq!(
                why(&"9".repeat(60)),
                format!("{0} has no unit; write `{0}s` for seconds", "9".repeat(60))
            );
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
}
