use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::time::Duration;

/// What one look at the file found, small enough to be kept and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The content, by its hash.
    Content(u64),
    Unreadable(io::ErrorKind),
}

impl Seen {
    pub(super) fn content(text: &str) -> Seen {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        Seen::Content(hasher.finish())
    }

    pub(super) fn of(found: &io::Result<String>) -> Seen {
        match found {
            Ok(text) => Seen::content(text),
            Err(error) => Seen::Unreadable(error.kind()),
        }
    }
}

/// Decides what is news: something else than was told last, and the same for a while.
///
/// The while is for files that are written in pieces. Half of a document is often a document too,
/// and one that names fewer breakers.
#[derive(Debug)]
pub(super) struct Steady {
    pub(super) quiet: Duration,
    told: Option<Seen>,
    /// What was seen since, and when first.
    pending: Option<(Seen, Duration)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    No,
    /// Perhaps: look again then.
    AskAt(Duration),
    Yes,
}

impl Steady {
    pub(super) fn new(quiet: Duration, told: Option<Seen>) -> Steady {
        Steady { quiet, told, pending: None }
    }

    pub(super) fn saw(&mut self, seen: Seen, now: Duration) -> News {
        if self.told == Some(seen) {
            self.pending = None;
            return News::No;
        }
        let since = match self.pending {
            Some((pending, since)) if pending == seen => since,
            Some(_) | None => now,
        };
        let rested = since.saturating_add(self.quiet);
        if now < rested {
            self.pending = Some((seen, since));
            return News::AskAt(rested);
        }
        (self.told, self.pending) = (Some(seen), None);
        News::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Seen = Seen::Content(1);
    const NEW: Seen = Seen::Content(2);
    const GONE: Seen = Seen::Unreadable(io::ErrorKind::NotFound);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn knowing(told: Seen) -> Steady {
        Steady::new(at(250), Some(told))
    }

    #[test]
    fn what_was_told_is_no_news() {
        assert_eq!(knowing(OLD).saw(OLD, at(0)), News::No);
    }

    #[test]
    fn news_must_rest_before_they_are_told_and_are_told_once() {
        let mut steady = knowing(OLD);
        assert_eq!(steady.saw(NEW, at(1_000)), News::AskAt(at(1_250)));
        assert_eq!(steady.saw(NEW, at(1_249)), News::AskAt(at(1_250)));
        assert_eq!(steady.saw(NEW, at(1_250)), News::Yes);
        assert_eq!(steady.saw(NEW, at(9_000)), News::No);
    }

    #[test]
    fn a_change_in_between_begins_the_rest_anew() {
        let mut steady = knowing(OLD);
        steady.saw(Seen::Content(3), at(1_000));
        assert_eq!(steady.saw(NEW, at(1_250)), News::AskAt(at(1_500)));
        assert_eq!(steady.saw(NEW, at(1_500)), News::Yes);
    }

    #[test]
    fn what_comes_back_in_time_was_never_away() {
        let mut steady = knowing(OLD);
        assert_eq!(steady.saw(GONE, at(1_000)), News::AskAt(at(1_250)));
        assert_eq!(steady.saw(OLD, at(1_200)), News::No);
        assert_eq!(steady.saw(GONE, at(1_250)), News::AskAt(at(1_500)), "a new absence, not the old one");
    }

    #[test]
    fn what_comes_back_late_is_told_again() {
        let mut steady = knowing(OLD);
        steady.saw(GONE, at(1_000));
        assert_eq!(steady.saw(GONE, at(1_250)), News::Yes);
        steady.saw(OLD, at(2_000));
        assert_eq!(steady.saw(OLD, at(2_250)), News::Yes);
    }

    #[test]
    fn without_a_quiet_time_news_are_told_at_once() {
        assert_eq!(Steady::new(Duration::ZERO, None).saw(NEW, at(0)), News::Yes);
    }
}
