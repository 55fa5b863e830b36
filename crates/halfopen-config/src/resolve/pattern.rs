//! Names and the patterns that match them, such as `db-*`.

use std::collections::BTreeMap;

/// Returns the entry of the longest pattern that matches a name, or a longer pattern, and is not that itself.
///
/// Looks each prefix of the name up, so that its cost does not grow with the number of patterns.
pub(crate) fn longest_match<'m, T>(all: &'m BTreeMap<String, T>, name: &str) -> Option<(&'m str, &'m T)> {
    let stem = name.strip_suffix('*').unwrap_or(name);
    // One look-up for each length of the name, and not a search through all patterns: a document can have many
    // thousand.
    let mut pattern = format!("{stem}*");
    let mut end = stem.len();
    loop {
        #[cfg(test)]
        halfopen_document::work::add(1);
        // A pattern does not match itself: for one that only the program has set, the next wider one is looked for.
        if pattern != name
            && let Some((found, value)) = all.get_key_value(&pattern)
        {
            return Some((found, value));
        }
        // By characters, because a cut within one would panic.
        end -= stem[..end].chars().next_back()?.len_utf8();
        pattern.truncate(end);
        pattern.push('*');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Option<&'static str> {
        let patterns = ["*", "db-*", "db-orders-*", "db", "größe*"];
        let all: BTreeMap<String, ()> = patterns.into_iter().map(|name| (name.to_owned(), ())).collect();
        let (found, ()) = longest_match(&all, name)?;
        patterns.into_iter().find(|name| *name == found)
    }

    #[test]
    fn the_longest_pattern_that_matches_is_found() {
        assert_eq!(found("db-orders-eu"), Some("db-orders-*"));
        assert_eq!(found("db-users"), Some("db-*"));
        assert_eq!(found("db-"), Some("db-*"));
        assert_eq!(found("db"), Some("*"));
        assert_eq!(found("größen"), Some("größe*"));
    }

    #[test]
    fn a_pattern_is_matched_by_a_shorter_one_only() {
        assert_eq!(found("db-orders-*"), Some("db-*"));
        assert_eq!(found("db-*"), Some("*"));
        assert_eq!(found("*"), None);
    }
}
