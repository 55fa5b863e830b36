//! Scalars by the core schema of YAML 1.2: `off` and `no` are texts, and so is every quoted scalar without a tag.

use std::borrow::Cow;

use super::tag::Tag;
use crate::tree::Value;

#[derive(Clone, Debug)]
pub(super) struct Scalar<'a> {
    pub(super) text: Cow<'a, str>,
    /// Neither quoted nor a block.
    pub(super) plain: bool,
    pub(super) tag: Tag,
}

impl Scalar<'_> {
    pub(super) fn value(self) -> Result<Value, &'static str> {
        if self.is_null() {
            return Ok(Value::Null);
        }
        match self.tag {
            Tag::Bool => boolean(&self.text).map(Value::Bool).ok_or("the tag `!!bool` needs true or false"),
            Tag::Integer => integer(trimmed(&self.text))
                .map(Value::Integer)
                .ok_or("the tag `!!int` needs a whole number of at most 64 bits"),
            Tag::Float => {
                float(trimmed(&self.text), true).map(Value::Float).ok_or("the tag `!!float` needs a number")
            }
            Tag::Binary => decoded(&self.text).map(Value::Text),
            Tag::Unsupported => Err("a value with this tag cannot be read; leave the tag out"),
            Tag::Untagged | Tag::Merge | Tag::Ignored | Tag::Custom(_) if self.plain => {
                Ok(resolved(self.text))
            }
            Tag::Null
            | Tag::NonSpecific
            | Tag::Text
            | Tag::Untagged
            | Tag::Merge
            | Tag::Ignored
            | Tag::Custom(_) => Ok(Value::Text(self.text.into_owned())),
        }
    }

    pub(super) fn key(self) -> Result<String, &'static str> {
        const NULL: &str = "a key must be a word, but is null";
        match self.tag {
            Tag::NonSpecific | Tag::Text => Ok(self.text.into_owned()),
            Tag::Null => Err(NULL),
            Tag::Untagged
            | Tag::Integer
            | Tag::Float
            | Tag::Bool
            | Tag::Binary
            | Tag::Merge
            | Tag::Ignored
            | Tag::Unsupported
            | Tag::Custom(_)
                if self.plain && is_nullish(&self.text) =>
            {
                Err(NULL)
            }
            Tag::Untagged | Tag::Merge | Tag::Ignored | Tag::Custom(_) => Ok(self.text.into_owned()),
            Tag::Binary => decoded(&self.text),
            Tag::Integer | Tag::Float | Tag::Bool | Tag::Unsupported => {
                Err("a key must be a word, but has the tag of another type")
            }
        }
    }

    pub(super) fn is_null(&self) -> bool {
        match self.tag {
            Tag::Null => true,
            Tag::Untagged | Tag::Merge | Tag::Ignored | Tag::Custom(_) => {
                self.plain && is_nullish(&self.text)
            }
            Tag::NonSpecific
            | Tag::Text
            | Tag::Integer
            | Tag::Float
            | Tag::Bool
            | Tag::Binary
            | Tag::Unsupported => false,
        }
    }

    /// Returns true for a merge key.
    pub(super) fn is_merge(&self) -> bool {
        &*self.text == "<<"
            && match self.tag {
                Tag::Merge => true,
                Tag::Untagged => self.plain,
                Tag::NonSpecific
                | Tag::Text
                | Tag::Integer
                | Tag::Float
                | Tag::Bool
                | Tag::Null
                | Tag::Binary
                | Tag::Ignored
                | Tag::Unsupported
                | Tag::Custom(_) => false,
            }
    }
}

/// Returns the value of a plain scalar by its form.
fn resolved(text: Cow<'_, str>) -> Value {
    if let Some(on) = boolean(&text) {
        return Value::Bool(on);
    }
    match number(trimmed(&text)) {
        Some(number) => number,
        None => Value::Text(text.into_owned()),
    }
}

fn number(text: &str) -> Option<Value> {
    // Most texts are decided by their first character.
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Other schemas read them as numbers.
    if unsigned.starts_with("0X") || unsigned.starts_with("0O") || unsigned.starts_with("0B") {
        return None;
    }
    integer(text).map(Value::Integer).or_else(|| float(text, unsigned.len() == text.len()).map(Value::Float))
}

pub(super) fn is_nullish(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Returns the text without the blanks and line breaks around it, which quotes and blocks keep.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

fn boolean(text: &str) -> Option<bool> {
    match trimmed(text) {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Returns a number of at most 64 bits, of which a negative one has a sign.
fn integer(text: &str) -> Option<i128> {
    let (negative, magnitude) = magnitude(text)?;
    if negative {
        let number = i128::try_from(magnitude).ok()?.checked_neg()?;
        i64::try_from(number).ok().map(i128::from)
    } else {
        u64::try_from(magnitude).ok().map(i128::from)
    }
}

/// Returns whether a whole number has a minus, and its digits' value: decimal, `0x`, `0o` or `0b`.
pub(super) fn magnitude(text: &str) -> Option<(bool, u128)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        // Octal to some, decimal to others.
        [b'0', _, ..] => return None,
        _ => (10, unsigned),
    };
    Some((text.starts_with('-'), whole(digits, radix)?))
}

/// Returns the value of digits, single `_` between them allowed.
fn whole(digits: &str, radix: u32) -> Option<u128> {
    let mut value = 0_u128;
    let mut after_digit = false;
    for char in digits.chars() {
        match char {
            '_' if after_digit => after_digit = false,
            char => {
                let digit = char.to_digit(radix)?;
                value = value.checked_mul(radix.into())?.checked_add(digit.into())?;
                after_digit = true;
            }
        }
    }
    after_digit.then_some(value)
}

/// Returns a number with a fraction or exponent, infinite if it is too large; `nan` if that may be written with a
/// sign here.
fn float(text: &str, signed_nan: bool) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => Some(f64::NEG_INFINITY),
        ".inf" | ".Inf" | ".INF" => Some(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => signed_nan.then_some(f64::NAN),
        // `inf` and `nan` without a dot are texts.
        digits if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// Decodes `!!binary`, whose bytes must be a text here.
fn decoded(text: &str) -> Result<String, &'static str> {
    let bytes = base64(text).ok_or("the tag `!!binary` needs base64")?;
    String::from_utf8(bytes).map_err(|_| "the tag `!!binary` needs the base64 of UTF-8")
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = symbols.iter().rev().take_while(|byte| **byte == b'=').count();
    if !symbols.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3);
    for group in symbols[..symbols.len() - padding].chunks(4) {
        let bits = group.iter().try_fold(0_u32, |bits, symbol| Some(bits << 6 | sextet(*symbol)?))?;
        let [_, whole @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let (kept, rest) = whole.split_at(group.len() - 1);
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn sextet(symbol: u8) -> Option<u32> {
    let value = match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}
