use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::lookup::first_value;

/// A parsed name: a look-up by text parses the text each time.
static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Returns the deadline of a gRPC request: the value of its `grpc-timeout` header.
///
/// The protocol allows at most eight digits and one unit (`H`, `M`, `S`, `m`, `u`, `n`). Returns [`None`]
/// for any other value.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("grpc-timeout", "250m".parse()?);
/// assert_eq!(halfopen_http::grpc_timeout(&headers), Some(Duration::from_millis(250)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = first_value(headers, &GRPC_TIMEOUT)?.as_bytes().split_last()?;
    let amount = number(digits)?;
    match unit {
        b'H' => Some(Duration::from_secs(amount * 3600)),
        b'M' => Some(Duration::from_secs(amount * 60)),
        b'S' => Some(Duration::from_secs(amount)),
        b'm' => Some(Duration::from_millis(amount)),
        b'u' => Some(Duration::from_micros(amount)),
        b'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    // At most eight digits by the specification, which also keeps the multiplications from overflowing.
    let valid = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    valid.then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn timeout(value: &[u8]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_bytes(value).unwrap());
        grpc_timeout(&headers)
    }

    #[test]
    fn each_unit_has_its_length() {
        assert_eq!(timeout(b"2H"), Some(Duration::from_secs(7200)));
        assert_eq!(timeout(b"2M"), Some(Duration::from_secs(120)));
        assert_eq!(timeout(b"2S"), Some(Duration::from_secs(2)));
        assert_eq!(timeout(b"2m"), Some(Duration::from_millis(2)));
        assert_eq!(timeout(b"2u"), Some(Duration::from_micros(2)));
        assert_eq!(timeout(b"2n"), Some(Duration::from_nanos(2)));
    }

    #[test]
    fn eight_digits_are_the_most() {
        assert_eq!(timeout(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(timeout(b"100000000n"), None);
    }

    #[test]
    fn anything_else_is_no_deadline() {
        for value in [&b""[..], b"S", b"5", b"5s", b"-5S", b"+5S", b"5 S", b"5S ", b"1.5S", b"\xff\xff"] {
            assert_eq!(timeout(value), None, "{value:?}");
        }
        assert_eq!(grpc_timeout(&HeaderMap::new()), None);
    }
}
