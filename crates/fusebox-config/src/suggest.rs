/// The known word that somebody who wrote `word` is likely to have meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let distance = |other: &str| strsim::damerau_levenshtein(&folded, &fold(other));
    let near = known.into_iter().map(|other| (distance(other), other)).min_by_key(|(far, _)| *far);
    near.filter(|(far, other)| *far <= tolerated(word.len().max(other.len()))).map(|(_, other)| other)
}

/// One slip in every three characters.
fn tolerated(length: usize) -> usize {
    (length / 3).clamp(1, 3)
}

/// `halfOpen`, `half-open` and `HALF_OPEN` are all near `half_open`.
fn fold(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: [&str; 4] = ["duration", "half_open", "hint_max", "window"];

    #[test]
    fn a_slip_is_understood() {
        assert_eq!(nearest("duraton", KNOWN), Some("duration"));
        assert_eq!(nearest("halfOpen", KNOWN), Some("half_open"));
        assert_eq!(nearest("HINT-MAX", KNOWN), Some("hint_max"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("colour", KNOWN), None);
        assert_eq!(nearest("x", KNOWN), None);
    }
}
