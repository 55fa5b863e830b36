/// The known word that somebody who wrote `word` is likely to have meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let folded = fold(word);
    let distance = |other: &str| strsim::damerau_levenshtein(&folded, &fold(other));
    let near = known.clone().into_iter().map(|other| (distance(other), other)).min_by_key(|(far, _)| *far);
    let near = near.filter(|(far, other)| {
        let (shorter, longer) = (word.len().min(other.len()), word.len().max(other.len()));
        // Of a word of one letter, every other is one slip away.
        *far <= tolerated(longer) && *far < shorter
    });
    near.map(|(_, other)| other).or_else(|| shortened(&folded, known))
}

/// The one word that begins so: `prod` for `production`.
fn shortened<'a>(folded: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut longer = known.into_iter().filter(|other| fold(other).starts_with(folded));
    let one = longer.next().filter(|_| folded.chars().count() >= 3)?;
    longer.all(|other| other == one).then_some(one)
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
    fn a_word_that_was_cut_short_is_understood_if_only_one_begins_so() {
        let known = ["production", "staging", "stage_left"];
        assert_eq!(nearest("prod", known), Some("production"));
        assert_eq!(nearest("sta", known), None);
        assert_eq!(nearest("pr", known), None);
    }

    #[test]
    fn of_one_letter_no_other_is_a_slip() {
        assert_eq!(nearest("5", ["a", "b"]), None);
        assert_eq!(nearest("a", ["b", "ab"]), None);
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("colour", KNOWN), None);
        assert_eq!(nearest("x", KNOWN), None);
    }
}
