use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The violations of invariants. All are counted, and the first are printed.
#[derive(Default)]
pub(crate) struct Violations {
    count: AtomicU64,
    first: Mutex<Vec<String>>,
}

const PRINTED: usize = 20;

impl Violations {
    pub(crate) fn unless(&self, right: bool, what: impl FnOnce() -> String) {
        if right {
            return;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut first = self.first.lock().expect("no panic under this lock");
        if first.len() < PRINTED {
            first.push(what());
        }
    }

    pub(crate) fn none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return f.write_str("no invariant was violated");
        }
        write!(f, "{count} violations")?;
        for what in &*self.first.lock().expect("no panic under this lock") {
            write!(f, "\n  {what}")?;
        }
        Ok(())
    }
}
