//! Points in time as logs write them.

use crate::call::Nanos;

const SECOND: Nanos = 1_000_000_000;
/// No log of today has a time from after the year 2200; a number above is in a finer unit.
const LATEST_SECOND: u64 = 7_258_118_400;

/// A point in time, which may have been written without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) at: Nanos,
    pub(crate) has_zone: bool,
}

/// Parses `10/Oct/2000:13:55:36 -0700`, `2000-10-10T13:55:36.123Z`, or seconds, milliseconds, microseconds or
/// nanoseconds since the Unix epoch; the magnitude of a number selects its unit. `zone` is the offset in seconds of
/// a time without one.
pub(crate) fn parse(text: &str, zone: i32) -> Option<Written> {
    let bytes = text.trim().as_bytes();
    match bytes {
        [_, _, b'/', ..] => common_log(bytes, zone),
        [_, _, _, _, b'-', ..] => iso(bytes, zone),
        _ => epoch(text.trim()).map(|at| Written { at, has_zone: true }),
    }
}

/// Parses a number of seconds, milliseconds, microseconds or nanoseconds since the Unix epoch.
fn epoch(text: &str) -> Option<Nanos> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty()
        || whole.len() > 19
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let unit =
        [SECOND, 1_000_000, 1_000, 1].into_iter().find(|unit| whole / (SECOND / unit) <= LATEST_SECOND)?;
    Some(whole * unit + fraction_of(fraction.as_bytes(), unit))
}

/// Parses an offset from UTC in seconds: `Z`, `+02:00`, `-0700`, `+02`.
fn offset(bytes: &[u8]) -> Option<i32> {
    let (sign, rest) = match bytes {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [_, _] => (digits(rest)?, 0),
        [h @ .., b':', m1, m2] | [h @ .., m1, m2] if h.len() == 2 => (digits(h)?, digits(&[*m1, *m2])?),
        _ => return None,
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours <= 18 && minutes < 60).then_some(sign * seconds)
}

/// Returns the offset from UTC in seconds of `Z`, `+02:00`, `-0700` or `+02`.
pub fn parse_offset(text: &str) -> Option<i32> {
    offset(text.as_bytes())
}

fn common_log(bytes: &[u8], zone: i32) -> Option<Written> {
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', rest @ ..] = bytes else { return None };
    let (clock, rest) = rest.split_at_checked(8)?;
    let month = match [*m1, *m2, *m3] {
        [b'J', b'a', b'n'] => 1,
        [b'F', b'e', b'b'] => 2,
        [b'M', b'a', b'r'] => 3,
        [b'A', b'p', b'r'] => 4,
        [b'M', b'a', b'y'] => 5,
        [b'J', b'u', b'n'] => 6,
        [b'J', b'u', b'l'] => 7,
        [b'A', b'u', b'g'] => 8,
        [b'S', b'e', b'p'] => 9,
        [b'O', b'c', b't'] => 10,
        [b'N', b'o', b'v'] => 11,
        [b'D', b'e', b'c'] => 12,
        _ => return None,
    };
    let day = days(digits(&[*y1, *y2, *y3, *y4])?, month, digits(&[*d1, *d2])?)?;
    finish(day, seconds(clock)?, 0, rest.trim_ascii_start(), zone)
}

fn iso(bytes: &[u8], zone: i32) -> Option<Written> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', rest @ ..] = bytes else {
        return None;
    };
    let (clock, rest) = rest.split_at_checked(8)?;
    let (fraction, rest) = match rest {
        [b'.' | b',', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            rest.split_at(digits)
        }
        _ => (&[][..], rest),
    };
    let day = days(digits(&[*y1, *y2, *y3, *y4])?, digits(&[*m1, *m2])?, digits(&[*d1, *d2])?)?;
    finish(day, seconds(clock)?, fraction_of(fraction, SECOND), rest.trim_ascii_start(), zone)
}

fn finish(day: u64, second: u64, nanos: Nanos, written: &[u8], zone: i32) -> Option<Written> {
    let has_zone = !written.is_empty();
    let zone = if has_zone { offset(written)? } else { zone };
    let local = i64::try_from(day * 86_400 + second).ok()?;
    let utc = u64::try_from(local - i64::from(zone)).ok()?;
    Some(Written { at: utc * SECOND + nanos, has_zone })
}

/// Parses `13:55:36`, as a second of the day.
fn seconds(clock: &[u8]) -> Option<u64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hour, minute, second) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?, digits(&[*s1, *s2])?);
    // A leap second is the second after.
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The days from the Unix epoch to a date of the years 1970 to 2200.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=2200).contains(&year) || day == 0 || day > last_day(year, month)? {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let past = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    Some(past + BEFORE[month as usize - 1] + u64::from(is_leap(year) && month > 2) + day - 1)
}

/// The days of a year before each of its months, and of a whole year.
const BEFORE: [u64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn last_day(year: u64, month: u64) -> Option<u64> {
    match month {
        2 if is_leap(year) => Some(29),
        1..=12 => Some(BEFORE[month as usize] - BEFORE[month as usize - 1]),
        _ => None,
    }
}

/// Writes a time as `2000-10-10T20:55:36Z`.
#[cfg(feature = "html")]
pub(crate) fn utc(at: Nanos) -> String {
    let (mut left, second) = (at / SECOND / 86_400, at / SECOND % 86_400);
    let lasts = |year: u64| (1..=12).filter_map(move |month| last_day(year, month).map(|last| (month, last)));
    for year in 1970.. {
        for (month, last) in lasts(year) {
            if left < last {
                let (day, hour, minute, second) = (left + 1, second / 3600, second / 60 % 60, second % 60);
                return format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            }
            left -= last;
        }
    }
    unreachable!("the days of a `u64` of nanoseconds end before the years do")
}

/// The part of a unit that the digits after a decimal point mean.
fn fraction_of(digits: &[u8], unit: Nanos) -> Nanos {
    let (mut sum, mut unit) = (0, unit);
    for digit in digits {
        unit /= 10;
        sum += u64::from(digit - b'0') * unit;
    }
    sum
}

pub(super) fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Nanos> {
        parse(text, 0).map(|written| written.at)
    }

    #[test]
    fn forms_of_one_moment_are_equal() {
        let moment = Some(971_211_336_000_000_000);
        for text in [
            "10/Oct/2000:13:55:36 -0700",
            "2000-10-10T20:55:36Z",
            "2000-10-10 20:55:36",
            "2000-10-10T22:55:36.000+02:00",
            "971211336",
            "971211336.000",
            "971211336000",
            "971211336000000",
            "971211336000000000",
        ] {
            assert_eq!(at(text), moment, "{text}");
        }
    }

    #[test]
    fn fractions_count_to_the_nanosecond() {
        assert_eq!(at("1970-01-01T00:00:01.25Z"), Some(1_250_000_000));
        assert_eq!(at("1.000000001"), Some(1_000_000_001));
        assert_eq!(at("1.0000000019"), Some(1_000_000_001));
    }

    #[test]
    fn a_time_without_a_zone_is_in_the_given_one() {
        let parsed = parse("1970-01-01T02:00:00", 7200).expect("a time");
        assert_eq!(parsed, Written { at: 0, has_zone: false });
    }

    #[cfg(feature = "html")]
    #[test]
    fn a_written_time_is_read_again() {
        for text in ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-12-31T12:00:01Z"] {
            assert_eq!(at(text).map(utc).as_deref(), Some(text));
        }
    }

    #[test]
    fn leap_days_exist_in_leap_years_only() {
        assert_eq!(at("1972-02-29T00:00:00Z"), Some(789 * 86_400 * SECOND));
        assert_eq!(at("2000-03-01T00:00:00Z"), Some(951_868_800 * SECOND));
        for text in
            ["1970-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2000-04-31T00:00:00Z", "2000-13-01T00:00:00Z"]
        {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_broken_time_is_none() {
        for text in [
            "",
            "-",
            "1969-12-31T23:59:59Z",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:00:00+99:00",
            "10/Okt/2000:13:55:36 -0700",
            "99999999999999999999",
            "1e9",
            "-5",
            "2000-01-01T00:00",
            "1970-01-01T00:00:00+01:00",
            "2000-01-01T00:00:00 CET",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
