//! How environment variables spell the names of breakers.
//!
//! A variable is `HALFOPEN_`, a name, `__` and a key. The name is written in one of three ways:
//!
//! - folded: in capitals, with one `_` for each run of other characters than letters and digits, and none at either
//!   end. `payments-eu` is `PAYMENTS_EU`, and `db-*` is `DB`. Names may share a folded form.
//! - as it is, where the variable's name may have such characters: `HALFOPEN_payments-eu__OPEN__DURATION`.
//! - escaped, after one more `_`: each byte that is no ASCII letter or digit is `_` and two hexadecimal digits. Every
//!   name has one escaped form, and no other name has the same. `payments-eu` is `_payments_2Deu`, `*` is `__2A`.

use std::collections::{BTreeMap, HashMap};

use crate::document::BreakerSection;

/// The names of a document, by the forms that variables may use.
pub(super) struct Names<'d> {
    exact: &'d BTreeMap<String, BreakerSection>,
    folded: HashMap<String, Vec<&'d str>>,
}

impl<'d> Names<'d> {
    pub(super) fn of(breakers: &'d BTreeMap<String, BreakerSection>) -> Names<'d> {
        let mut folded: HashMap<String, Vec<&str>> = HashMap::with_capacity(breakers.len());
        for name in breakers.keys() {
            // Several names can fold to one stem (`a-b` and `a_b`), which is then ambiguous.
            folded.entry(fold(name)).or_default().push(name);
        }
        Names { exact: breakers, folded }
    }

    /// Returns the names that a variable's part for the name may mean.
    pub(super) fn meant(&self, stem: &str) -> Vec<&'d str> {
        #[cfg(test)]
        halfopen_document::work::add(1);
        if let Some(escaped) = stem.strip_prefix('_') {
            let name = unescape(escaped).and_then(|name| self.exact.get_key_value(&name));
            return name.map(|(name, _)| name.as_str()).into_iter().collect();
        }
        // An exact name wins: a breaker can always be named as it is written.
        match self.exact.get_key_value(stem) {
            Some((name, _)) => vec![name],
            None => self.folded.get(stem).cloned().unwrap_or_default(),
        }
    }

    /// Returns true if a name has this folded form.
    pub(super) fn has_folded(&self, folded: &str) -> bool {
        self.folded.contains_key(folded)
    }

    /// Returns every folded form.
    pub(super) fn all_folded(&self) -> impl Iterator<Item = &str> + Clone {
        self.folded.keys().map(String::as_str)
    }
}

/// Returns a name in capitals, with one `_` for each run of signs between letters and digits.
fn fold(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join("_")
}

/// Returns the escaped form of a name, with the `_` before it.
pub(super) fn escape(name: &str) -> String {
    let mut escaped = String::from("_");
    for byte in name.bytes() {
        match byte {
            // Only these and `_` are allowed in the name of a variable everywhere; every other byte is two
            // hexadecimal digits.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped.push(char::from(byte)),
            other => escaped.push_str(&format!("_{other:02X}")),
        }
    }
    escaped
}

/// Returns the name that has this escaped form, without the `_` before it.
fn unescape(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('_');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_byte = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_byte)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Returns the name's part and the keys of a variable, without its prefix.
pub(super) fn split(rest: &str) -> Option<(&str, &str)> {
    // Each `_` of an escaped name precedes two digits, so that the first `__` after the mark ends it.
    match rest.strip_prefix('_') {
        Some(escaped) => {
            let end = escaped.match_indices("__").map(|(at, _)| at).find(|at| *at > 0)?;
            Some((&rest[..=end], &escaped[end + 2..]))
        }
        None => rest.split_once("__"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "payments",
        "de-etr",
        "de_etr",
        "api.example.com:443",
        "Client#get(String,int)",
        "[::1]:8080",
        "a__b",
        "größe",
        "*",
        "db-*",
        "PAYMENTS",
        "!?",
    ];

    fn breakers() -> BTreeMap<String, BreakerSection> {
        NAMES.into_iter().map(|name| (name.to_owned(), BreakerSection::default())).collect()
    }

    #[test]
    fn the_escaped_form_of_each_name_is_its_own() {
        let breakers = breakers();
        let names = Names::of(&breakers);
        for name in NAMES {
            let variable = format!("{}__OPEN__DURATION", escape(name));
            assert!(variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{variable}");
            let (stem, keys) = split(&variable).expect("a name and keys");
            assert_eq!((names.meant(stem), keys), (vec![name], "OPEN__DURATION"), "{variable}");
        }
    }

    #[test]
    fn a_name_folds_to_capitals_and_single_signs() {
        let folded = ["PAYMENTS", "DE_ETR", "API_EXAMPLE_COM_443", "CLIENT_GET_STRING_INT", "1_8080", "A_B"];
        for (name, expected) in NAMES.into_iter().filter(|name| *name != "de_etr").zip(folded) {
            assert_eq!(fold(name), expected);
        }
    }

    #[test]
    fn a_folded_form_of_two_names_means_both() {
        let breakers = breakers();
        assert_eq!(Names::of(&breakers).meant("DE_ETR"), ["de-etr", "de_etr"]);
        assert_eq!(Names::of(&breakers).meant("de-etr"), ["de-etr"]);
        assert_eq!(Names::of(&breakers).meant("PAYMENTS"), ["PAYMENTS"], "as it is, before its folded form");
    }

    #[test]
    fn a_broken_escape_is_no_name() {
        for escaped in ["a_2", "a_2G", "a_C3", "_", "a_+1"] {
            assert_eq!(unescape(escaped), None, "{escaped}");
        }
    }
}
