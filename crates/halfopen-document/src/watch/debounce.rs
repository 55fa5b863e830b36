use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::time::Duration;

/// The result of one poll, small enough to be kept and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The content, by its hash.
    Content(u64),
    Unreadable(io::ErrorKind),
}

impl Seen {
    pub(super) fn content(text: &str) -> Seen {
        let mut hasher = DefaultHasher::new();
        // A hash instead of the content, which can be 16 MiB. The hasher has fixed keys, so it need not be kept.
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

/// Reports a change when it differs from the last one reported and has been stable for the quiet time.
///
/// Files are written in pieces, and the first half of a document is often a valid document with fewer entries.
#[derive(Debug)]
pub(super) struct Debounce {
    pub(super) quiet: Duration,
    reported: Option<Seen>,
    /// The state seen since then, and the time it was first seen.
    pending: Option<(Seen, Duration)>,
}

/// The decision about one poll.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Unchanged,
    /// Changed, and not yet stable: poll again at this time.
    Wait(Duration),
    Changed,
}

impl Debounce {
    pub(super) fn new(quiet: Duration, reported: Option<Seen>) -> Debounce {
        Debounce { quiet, reported, pending: None }
    }

    pub(super) fn saw(&mut self, seen: Seen, now: Duration) -> Decision {
        // Unchanged, or changed back before the change had rested.
        if self.reported == Some(seen) {
            self.pending = None;
            return Decision::Unchanged;
        }
        let since = match self.pending {
            // The same as at the last look, so it has rested since then; anything else starts the quiet time anew.
            // An editor that writes in parts is thus read once, at the end.
            Some((pending, since)) if pending == seen => since,
            Some(_) | None => now,
        };
        let rested = since.saturating_add(self.quiet);
        if now < rested {
            self.pending = Some((seen, since));
            return Decision::Wait(rested);
        }
        (self.reported, self.pending) = (Some(seen), None);
        Decision::Changed
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

    fn knowing(reported: Seen) -> Debounce {
        Debounce::new(at(250), Some(reported))
    }

    #[test]
    fn a_reported_state_is_not_reported_again() {
        assert_eq!(knowing(OLD).saw(OLD, at(0)), Decision::Unchanged);
    }

    #[test]
    fn a_change_is_reported_once_when_it_has_rested() {
        let mut debounce = knowing(OLD);
        assert_eq!(debounce.saw(NEW, at(1_000)), Decision::Wait(at(1_250)));
        assert_eq!(debounce.saw(NEW, at(1_249)), Decision::Wait(at(1_250)));
        assert_eq!(debounce.saw(NEW, at(1_250)), Decision::Changed);
        assert_eq!(debounce.saw(NEW, at(9_000)), Decision::Unchanged);
    }

    #[test]
    fn another_change_restarts_the_quiet_time() {
        let mut debounce = knowing(OLD);
        debounce.saw(Seen::Content(3), at(1_000));
        assert_eq!(debounce.saw(NEW, at(1_250)), Decision::Wait(at(1_500)));
        assert_eq!(debounce.saw(NEW, at(1_500)), Decision::Changed);
    }

    #[test]
    fn an_absence_shorter_than_the_quiet_time_is_ignored() {
        let mut debounce = knowing(OLD);
        assert_eq!(debounce.saw(GONE, at(1_000)), Decision::Wait(at(1_250)));
        assert_eq!(debounce.saw(OLD, at(1_200)), Decision::Unchanged);
        assert_eq!(
            debounce.saw(GONE, at(1_250)),
            Decision::Wait(at(1_500)),
            "a new absence, not the old one"
        );
    }

    #[test]
    fn a_file_that_comes_back_late_is_reported() {
        let mut debounce = knowing(OLD);
        debounce.saw(GONE, at(1_000));
        assert_eq!(debounce.saw(GONE, at(1_250)), Decision::Changed);
        debounce.saw(OLD, at(2_000));
        assert_eq!(debounce.saw(OLD, at(2_250)), Decision::Changed);
    }

    #[test]
    fn without_a_quiet_time_changes_are_immediate() {
        assert_eq!(Debounce::new(Duration::ZERO, None).saw(NEW, at(0)), Decision::Changed);
    }
}
