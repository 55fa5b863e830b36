//! Counts the steps of everything whose cost could grow faster than the document, for tests of scaling.

use std::cell::Cell;

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// Adds steps to the count of this thread.
pub fn add(steps: usize) {
    DONE.set(DONE.get() + steps);
}

/// Returns the steps taken by `f` on this thread.
pub fn of<T>(f: impl FnOnce() -> T) -> usize {
    let before = DONE.get();
    f();
    DONE.get() - before
}
