use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, HeaderName, RETRY_AFTER};

use crate::retry_info;

/// The gRPC header with the time to wait before the next attempt, in milliseconds.
static PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The gRPC header with the details of a status, which may contain a `RetryInfo`.
static DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Returns the time for which a server asks clients to wait, or [`None`] without such a header.
///
/// Parses `Retry-After` (seconds, or an HTTP date in any of its three forms, relative to `now`),
/// gRPC's `grpc-retry-pushback-ms` and the `google.rpc.RetryInfo` in `grpc-status-details-bin`. Of
/// several values, in separate headers or joined with commas, returns the longest.
///
/// A fraction, which the grammar forbids but servers send, is rounded up: `59.87` is a minute. A date in
/// the past is zero. The leap second `23:59:60` is accepted. Numbers out of range saturate: seconds at
/// `u64::MAX`, the pushback at `i32::MAX` milliseconds (24.8 days). Malformed values are ignored. Never
/// panics.
///
/// A negative pushback means "do not retry this call". It does not state when the server recovers, and a
/// breaker does not retry, so it is ignored. A `Retry-After` in the same headers still counts.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use halfopen_http::retry_after;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "120".parse()?);
/// assert_eq!(retry_after(&headers, SystemTime::UNIX_EPOCH), Some(Duration::from_secs(120)));
///
/// headers.insert("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT".parse()?);
/// assert_eq!(retry_after(&headers, SystemTime::UNIX_EPOCH), Some(Duration::from_secs(60)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    hint(headers, || now)
}

/// The same as [`retry_after`], relative to the current time.
///
/// Reads the wall clock only if a header contains a date.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "7".parse()?);
/// assert_eq!(halfopen_http::retry_after_now(&headers), Some(Duration::from_secs(7)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[allow(clippy::disallowed_methods, reason = "a date in a header has meaning only on the wall clock")]
pub fn retry_after_now(headers: &HeaderMap) -> Option<Duration> {
    hint(headers, SystemTime::now)
}

/// Returns the hint of a gRPC status that a client has parsed.
///
/// The hint is the longer of [`retry_after_now`] of the `metadata` and the `google.rpc.RetryInfo` in the
/// `details`, which are the decoded bytes of a `google.rpc.Status`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen_http::retry_hint;
///
/// let mut metadata = http::HeaderMap::new();
/// metadata.insert("grpc-retry-pushback-ms", "1500".parse()?);
/// assert_eq!(retry_hint(&metadata, b"no details"), Some(Duration::from_millis(1500)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn retry_hint(metadata: &HeaderMap, details: &[u8]) -> Option<Duration> {
    retry_after_now(metadata).max(retry_info::delay_in(details))
}

fn hint(headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let texts = |name: &HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let http = texts(&RETRY_AFTER).filter_map(|text| longest_wait(text, &now));
    let grpc = texts(&PUSHBACK).flat_map(|text| text.split(',')).filter_map(pushback);
    let details =
        headers.get_all(&DETAILS).into_iter().filter_map(|value| retry_info::delay(value.as_bytes()));
    // Of several hints the longest: a caller that observes it observes all.
    http.chain(grpc).chain(details).max()
}

/// Returns the longest of the values that a proxy may have joined with commas. A date itself contains a
/// comma, after the day of the week.
fn longest_wait(text: &str, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let mut longest = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (value, after) = split_at_comma(rest, 0);
        let (wait, after) = match seconds(value).or_else(|| until(value, &now)) {
            Some(wait) => (Some(wait), after),
            None => {
                // A date has a comma itself, so it is the text up to the second one.
                let (date, after_date) = split_at_comma(rest, value.len() + 1);
                match until(date, &now) {
                    Some(wait) => (Some(wait), after_date),
                    None => (None, after),
                }
            }
        };
        longest = longest.max(wait);
        rest = after;
    }
    longest
}

/// Splits `text` at the first comma at or after `from`.
fn split_at_comma(text: &str, from: usize) -> (&str, &str) {
    let comma = text.get(from..).and_then(|text| text.find(',')).map(|at| from + at);
    comma.map_or((text, ""), |at| (&text[..at], &text[at + 1..]))
}

fn seconds(text: &str) -> Option<Duration> {
    rounded_up(text.trim()).map(Duration::from_secs)
}

fn pushback(text: &str) -> Option<Duration> {
    let milliseconds = rounded_up(text.trim())?;
    // The field is an `int32` by its specification.
    Some(Duration::from_millis(milliseconds.min(i32::MAX as u64)))
}

/// Returns the time until an HTTP date, or zero if it has passed.
fn until(text: &str, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let date = date(text.trim())?;
    // A date in the past is a hint to come back immediately.
    Some(date.duration_since(now()).unwrap_or(Duration::ZERO))
}

fn date(text: &str) -> Option<SystemTime> {
    // The grammar of HTTP dates allows a leap second, which the parser rejects.
    const LEAP: &str = "23:59:60";
    if text.contains(LEAP) {
        let second_before = httpdate::parse_http_date(&text.replacen(LEAP, "23:59:59", 1)).ok()?;
        return second_before.checked_add(Duration::from_secs(1));
    }
    httpdate::parse_http_date(text).ok()
}

/// Parses digits with an optional fraction, rounded up to a whole number. `str::parse` would also accept a
/// sign or an exponent, and would reject a number out of range.
fn rounded_up(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let started = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(whole.parse().unwrap_or(u64::MAX).saturating_add(started))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: u64 = 784_111_777;

    fn hint_of(name: &'static str, value: impl AsRef<[u8]>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        retry_after(&headers, now())
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    #[test]
    fn without_a_header_there_is_no_hint() {
        assert_eq!(retry_after(&HeaderMap::new(), now()), None);
    }

    #[test]
    fn seconds_are_seconds() {
        assert_eq!(hint_of("retry-after", "0"), Some(Duration::ZERO));
        assert_eq!(hint_of("retry-after", " 007 "), Some(Duration::from_secs(7)));
        assert_eq!(hint_of("Retry-After", "3600"), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn a_date_counts_from_now_in_each_of_its_forms() {
        for date in
            ["Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"]
        {
            assert_eq!(hint_of("retry-after", date), Some(Duration::from_secs(60)), "{date}");
        }
    }

    #[test]
    fn a_date_that_is_past_means_come_now() {
        assert_eq!(hint_of("retry-after", "Sun, 06 Nov 1994 08:49:36 GMT"), Some(Duration::ZERO));
        assert_eq!(hint_of("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn absurd_numbers_saturate() {
        let absurd = "9".repeat(400);
        assert_eq!(hint_of("retry-after", &absurd), Some(Duration::from_secs(u64::MAX)));
        let longest = Duration::from_millis(i32::MAX as u64);
        assert_eq!(hint_of("grpc-retry-pushback-ms", &absurd), Some(longest));
        assert!(hint_of("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT").is_some());
    }

    #[test]
    fn a_pushback_is_in_milliseconds() {
        assert_eq!(hint_of("grpc-retry-pushback-ms", "1500"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_negative_pushback_is_no_hint_and_hides_none() {
        assert_eq!(hint_of("grpc-retry-pushback-ms", "-1"), None);

        let mut headers = HeaderMap::new();
        headers.insert("grpc-retry-pushback-ms", HeaderValue::from_static("-1"));
        headers.insert("retry-after", HeaderValue::from_static("3"));
        assert_eq!(retry_after(&headers, now()), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_retry_info_among_the_details_of_a_status_counts() {
        // { details: [Any { "type.googleapis.com/google.rpc.RetryInfo", RetryInfo { 5 s } }] }
        let details = "GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAU=";
        assert_eq!(hint_of("grpc-status-details-bin", details), Some(Duration::from_secs(5)));
        assert_eq!(hint_of("grpc-status-details-bin", "%%%"), None);
    }

    #[test]
    fn decoded_details_of_a_status_are_read_too() {
        // { details: [Any { "type.googleapis.com/google.rpc.RetryInfo", RetryInfo { 5 s } }] }
        let details = b"\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x05";
        assert_eq!(retry_hint(&HeaderMap::new(), details), Some(Duration::from_secs(5)));
        assert_eq!(retry_hint(&HeaderMap::new(), &[]), None);

        let mut metadata = HeaderMap::new();
        metadata.insert("grpc-retry-pushback-ms", HeaderValue::from_static("9000"));
        assert_eq!(retry_hint(&metadata, details), Some(Duration::from_secs(9)));
    }

    #[test]
    fn of_several_hints_the_longest_counts() {
        let mut headers = HeaderMap::new();
        headers.append("retry-after", HeaderValue::from_static("2"));
        headers.append("retry-after", HeaderValue::from_static("9"));
        headers.append("grpc-retry-pushback-ms", HeaderValue::from_static("8000"));
        assert_eq!(retry_after(&headers, now()), Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_fraction_is_rounded_up() {
        for (text, seconds) in [("59.87", 60), ("30.0", 30), ("1.5", 2), ("0.001", 1), ("0.000", 0)] {
            assert_eq!(hint_of("retry-after", text), Some(Duration::from_secs(seconds)), "{text}");
        }
        let absurd = format!("{}.5", "9".repeat(400));
        assert_eq!(hint_of("retry-after", &absurd), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(hint_of("grpc-retry-pushback-ms", "1500.2"), Some(Duration::from_millis(1501)));
    }

    #[test]
    fn of_joined_values_the_longest_counts() {
        let imf = "Sun, 06 Nov 1994 08:50:37 GMT";
        let rfc850 = "Sunday, 06-Nov-94 08:50:37 GMT";
        let asctime = "Sun Nov  6 08:50:37 1994";
        for (text, seconds) in [
            ("120, 60".to_owned(), 120),
            ("60,120".to_owned(), 120),
            ("soon, 7 , -9".to_owned(), 7),
            ("1.5, ,".to_owned(), 2),
            (format!("{imf}, 7"), 60),
            (format!("7, {imf}"), 60),
            (format!("{rfc850}, 7, {imf}, 61"), 61),
            (format!("{asctime}, {asctime}"), 60),
            (format!("Sun, {imf}"), 60),
        ] {
            assert_eq!(hint_of("retry-after", &text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(hint_of("grpc-retry-pushback-ms", "-1, 1500,9"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_leap_second_is_a_second_after_the_last() {
        let eve = SystemTime::UNIX_EPOCH + Duration::from_secs(1_483_228_740);
        for date in
            ["Sat, 31 Dec 2016 23:59:60 GMT", "Saturday, 31-Dec-16 23:59:60 GMT", "Sat Dec 31 23:59:60 2016"]
        {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_str(date).unwrap());
            assert_eq!(retry_after(&headers, eve), Some(Duration::from_secs(60)), "{date}");
        }
    }

    #[test]
    fn joined_details_give_the_longest_delay() {
        let of = |seconds: u8| {
            let details = b"\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08";
            base64(&[&details[..], &[seconds]].concat())
        };
        for joined in [format!("{},{}", of(5), of(9)), format!("%%%, {} ,{}", of(9), of(5))] {
            assert_eq!(hint_of("grpc-status-details-bin", &joined), Some(Duration::from_secs(9)), "{joined}");
        }
    }

    /// Encodes with padding, which a proxy preserves when it joins values.
    fn base64(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(*group.get(at).unwrap_or(&0)));
            for place in 0..4 {
                let digit = char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]);
                text.push(if place <= group.len() { digit } else { '=' });
            }
        }
        text
    }

    #[test]
    fn what_cannot_be_understood_is_no_hint() {
        for text in [
            "",
            " ",
            "-5",
            "+5",
            "1e3",
            "1.5e3",
            "1.",
            ".5",
            "1.5.5",
            "-1.5",
            "1 2",
            "5s",
            "soon",
            "0x10",
            ",",
            "-5,+5",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 22:59:60 GMT",
        ] {
            assert_eq!(hint_of("retry-after", text), None, "{text:?}");
            assert_eq!(hint_of("grpc-retry-pushback-ms", text), None, "{text:?}");
        }
        assert_eq!(hint_of("retry-after", [0xff, b'1']), None);
    }

    #[test]
    fn no_mangled_date_makes_it_panic() {
        let seeds = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Wednesday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ];
        for seed in seeds {
            for at in 0..seed.len() {
                for byte in (b' '..=b'~').chain([b'\t', 0x80, 0xff]) {
                    let mut text = seed.as_bytes().to_vec();
                    text[at] = byte;
                    hint_of("retry-after", &text);
                    hint_of("retry-after", &text[..at]);
                }
            }
        }
    }
}
