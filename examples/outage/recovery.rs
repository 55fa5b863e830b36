use std::time::Duration;

/// The number of consecutive callers that must be answered before an outage counts as over for them: one lucky
/// probe is not a recovery.
pub(crate) const IN_A_ROW: u32 = 10;

/// The results of callers that arrived after the end of an outage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recovery {
    row: u32,
    row_began: Duration,
    recovered: Option<Duration>,
}

impl Recovery {
    /// When the first of this many consecutive callers was answered.
    pub(crate) fn at(&self) -> Option<Duration> {
        self.recovered
    }

    pub(crate) fn note(&mut self, answered: bool, at: Duration) {
        if !answered {
            self.row = 0;
            return;
        }
        if self.row == 0 {
            self.row_began = at;
        }
        self.row = self.row.saturating_add(1);
        if self.row == IN_A_ROW {
            self.recovered.get_or_insert(self.row_began);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_lucky_answer_is_no_recovery_and_a_row_of_them_is() {
        let mut recovery = Recovery::default();
        (1..IN_A_ROW).for_each(|second| recovery.note(true, second * SECOND));
        recovery.note(false, 20 * SECOND);
        assert_eq!(recovery.at(), None);

        (21..21 + IN_A_ROW).for_each(|second| recovery.note(true, second * SECOND));
        assert_eq!(recovery.at(), Some(21 * SECOND));
    }

    #[test]
    fn what_comes_after_the_recovery_changes_nothing() {
        let mut recovery = Recovery::default();
        (1..=IN_A_ROW).for_each(|second| recovery.note(true, second * SECOND));
        recovery.note(false, 40 * SECOND);
        (41..60).for_each(|second| recovery.note(true, second * SECOND));

        assert_eq!(recovery.at(), Some(SECOND));
    }
}
