//! Suggestions for misspelled words, at bounded cost.

/// Longer words, in bytes, get no suggestion.
const LONGEST: usize = 64;

/// How many problems of a document get suggestions. Each costs a comparison with every known word.
const MOST: usize = 100;

/// Returns the known word that is most similar to `word`, or [`None`] if none is similar enough.
///
/// After a hundred problems (`reported` is their number so far) it always returns [`None`], so that a document with
/// many problems costs linear time.
///
/// # Examples
///
/// ```
/// use halfopen_document::suggest;
///
/// assert_eq!(suggest::nearest("duraton", ["duration", "window"], 0), Some("duration"));
/// assert_eq!(suggest::nearest("prod", ["production", "staging"], 0), Some("production"));
/// assert_eq!(suggest::nearest("colour", ["duration", "window"], 0), None);
/// ```
pub fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    reported: usize,
) -> Option<&'a str> {
    if word.len() > LONGEST || !are_due(reported) {
        return None;
    }
    let folded = fold(word);
    let near = known.clone().into_iter().filter_map(|other| Some((distance(&folded, other)?, other)));
    let near = near.min_by_key(|(far, _)| *far);
    let near = near.filter(|(far, other)| {
        let (shorter, longer) = (word.len().min(other.len()), word.len().max(other.len()));
        // Every word of one letter is one edit away from every other.
        *far <= tolerated(longer) && *far < shorter
    });
    near.map(|(_, other)| other).or_else(|| shortened(&folded, known))
}

/// Returns true if a problem that is reported after `reported` others gets suggestions.
pub fn are_due(reported: usize) -> bool {
    reported < MOST
}

/// Returns the edit distance between a folded word and another, or [`None`] if it cannot be small.
fn distance(folded: &str, other: &str) -> Option<usize> {
    if other.len() > 2 * LONGEST {
        return None;
    }
    let other = fold(other);
    // An edit changes the length by at most one, so this bounds the distance from below without computing it.
    let apart = folded.chars().count().abs_diff(other.chars().count());
    if apart > MOST_TOLERATED {
        return None;
    }
    #[cfg(any(test, feature = "test-util"))]
    crate::work::add(folded.len() * other.len());
    Some(strsim::damerau_levenshtein(folded, &other))
}

/// Returns the only word with this prefix: `production` for `prod`.
fn shortened<'a>(folded: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if folded.chars().count() < 3 {
        return None;
    }
    // A key that was cut short is far from the whole one by edits, but if only one begins so, it is meant.
    let mut longer = known.into_iter().filter(|other| begins(other, folded));
    let one = longer.next()?;
    longer.all(|other| other == one).then_some(one)
}

fn begins(word: &str, folded: &str) -> bool {
    let mut letters = letters(word);
    folded.chars().all(|c| letters.next() == Some(c))
}

/// Returns the tolerated distance: one edit in every three characters.
fn tolerated(length: usize) -> usize {
    (length / 3).clamp(1, MOST_TOLERATED)
}

const MOST_TOLERATED: usize = 3;

/// Reduces a word to its letters and digits, so that `halfOpen`, `half-open` and `HALF_OPEN` all equal `half_open`.
fn fold(word: &str) -> String {
    letters(word).collect()
}

fn letters(word: &str) -> impl Iterator<Item = char> {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    fn nearest<'a, const N: usize>(word: &str, known: [&'a str; N]) -> Option<&'a str> {
        super::nearest(word, known, 0)
    }

    const KNOWN: [&str; 4] = ["duration", "half_open", "hint_max", "window"];

    #[test]
    fn a_slip_is_understood() {
        assert_eq!(nearest("duraton", KNOWN), Some("duration"));
        assert_eq!(nearest("halfOpen", KNOWN), Some("half_open"));
        assert_eq!(nearest("HINT-MAX", KNOWN), Some("hint_max"));
    }

    #[test]
    fn an_unambiguous_prefix_of_a_word_is_understood() {
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
    fn after_a_hundred_problems_there_are_no_suggestions() {
        assert_eq!(super::nearest("duraton", KNOWN, 99), Some("duration"));
        assert_eq!(super::nearest("duraton", KNOWN, 100), None);
    }

    #[test]
    fn a_very_long_word_is_no_slip() {
        let long = "duration".repeat(8) + "x";
        assert_eq!(super::nearest(&long, [&long[..64]], 0), None);
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("colour", KNOWN), None);
        assert_eq!(nearest("x", KNOWN), None);
    }
}
