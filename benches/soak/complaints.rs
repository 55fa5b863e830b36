use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was wrong: all are counted, the first are told.
#[derive(Default)]
pub(crate) struct Complaints {
    count: AtomicU64,
    first: Mutex<Vec<String>>,
}

const TOLD: usize = 20;

impl Complaints {
    pub(crate) fn unless(&self, right: bool, what: impl FnOnce() -> String) {
        if right {
            return;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut first = self.first.lock().expect("no panic under this lock");
        if first.len() < TOLD {
            first.push(what());
        }
    }

    pub(crate) fn none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return f.write_str("nothing was wrong");
        }
        write!(f, "{count} things were wrong")?;
        for what in &*self.first.lock().expect("no panic under this lock") {
            write!(f, "\n  {what}")?;
        }
        Ok(())
    }
}
