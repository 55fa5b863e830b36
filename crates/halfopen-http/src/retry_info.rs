//! The `google.rpc.RetryInfo` in `grpc-status-details-bin`.
//!
//! The header is a base64-encoded `google.rpc.Status { 3: repeated Any { 1: type, 2: value } }`, whose
//! value is a `RetryInfo { 1: Duration { 1: seconds, 2: nanos } }`. This subset of protobuf is too small
//! for a dependency. The input comes from the peer, so the parser must not panic.

use std::time::Duration;

const RETRY_INFO: &[u8] = b"/google.rpc.RetryInfo";

/// Returns the delay in the details of a status. A proxy may join several values of a `-bin` header with
/// commas; the longest delay counts.
pub(crate) fn delay(details: &[u8]) -> Option<Duration> {
    let values = details.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    values.filter_map(|value| delay_in(&decoded(value)?)).max()
}

/// Returns the delay in a decoded `google.rpc.Status`.
pub(crate) fn delay_in(status: &[u8]) -> Option<Duration> {
    // Field 3 of a status is its list of details, each an `Any` with the name of its type.
    let infos = fields(status).filter(|field| field.number == 3).filter_map(|any| retry_info(any.bytes));
    infos.filter_map(|info| duration(first(info, 1)?.bytes)).max()
}

fn retry_info(any: &[u8]) -> Option<&[u8]> {
    first(any, 1)?.bytes.ends_with(RETRY_INFO).then_some(first(any, 2)?.bytes)
}

fn duration(message: &[u8]) -> Option<Duration> {
    // An absent field is zero. Negative numbers are out of range as varints, and are not delays.
    let number = |field| first(message, field).map_or(0, |field| field.varint);
    let seconds = i64::try_from(number(1)).ok()?.unsigned_abs();
    let nanos = u32::try_from(number(2)).ok().filter(|&nanos| nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// A field of a message. Either `varint` or `bytes` is set, depending on the wire type.
struct Field<'a> {
    number: u64,
    varint: u64,
    bytes: &'a [u8],
}

fn first(message: &[u8], number: u64) -> Option<Field<'_>> {
    fields(message).find(|field| field.number == number)
}

/// Iterates over the fields of a message, up to the first invalid one.
fn fields(mut message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::from_fn(move || {
        let key = varint(&mut message)?;
        let (mut number, mut bytes) = (0, &[][..]);
        match key & 7 {
            0 => number = varint(&mut message)?,
            1 => _ = split(&mut message, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                bytes = split(&mut message, length)?;
            }
            5 => _ = split(&mut message, 4)?,
            // An unknown wire type has no length, so nothing behind it can be read.
            _ => return None,
        }
        Some(Field { number: key >> 3, varint: number, bytes })
    })
}

fn split<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (bytes, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(bytes)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = split(message, 1)? else { return None };
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Decodes base64 with or without padding. Returns [`None`] on any other character.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let mut bytes = Vec::with_capacity(end / 4 * 3 + 2);
    for group in text[..end].chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            bits = bits << 6 | group.get(place).map_or(Some(0), |&byte| sextet(byte))?;
        }
        let [_, whole @ ..] = bits.to_be_bytes();
        bytes.extend(&whole[..group.len() * 6 / 8]);
    }
    Some(bytes)
}

pub(crate) fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code 14, "try later", an `ErrorInfo`, and a `RetryInfo` of 90.5 seconds.
    const DETAILS: &str = "CA4SCXRyeSBsYXRlchozCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEgcKBVFV\
        T1RBGjYKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SCgoICFoQgMq17gE=";

    #[test]
    fn the_delay_is_found_among_other_details() {
        assert_eq!(delay(DETAILS.as_bytes()), Some(Duration::from_millis(90_500)));
    }

    #[test]
    fn padding_is_optional() {
        let bare = DETAILS.trim_end_matches('=');
        assert_eq!(delay(bare.as_bytes()), Some(Duration::from_millis(90_500)));
        assert_eq!(delay(format!("{bare}==").as_bytes()), Some(Duration::from_millis(90_500)));
    }

    #[test]
    fn what_cannot_be_read_is_no_delay() {
        for details in [&b""[..], b"=", b"%%%", b"A", b"AAAA", b"\xff\xff", b"////"] {
            assert_eq!(delay(details), None, "{details:?}");
        }
    }

    #[test]
    fn a_negative_delay_is_none() {
        let negative = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(duration(&negative), None);
        assert_eq!(duration(&[0x08, 0x05]), Some(Duration::from_secs(5)));
        assert_eq!(duration(&[]), Some(Duration::ZERO));
    }

    #[test]
    fn no_mangled_details_make_it_panic() {
        let alphabet = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*b"+/=%\xff");
        for byte in alphabet {
            for at in 0..DETAILS.len() {
                let mut details = DETAILS.as_bytes().to_vec();
                details[at] = byte;
                delay(&details);
                delay(&details[..at]);
            }
        }
    }
}
