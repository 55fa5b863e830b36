//! Parts of a shared value in stripes, so that threads do not wait for each other's cache lines.

use crate::sync::thread_index;

/// A few values of one kind, each on cache lines of its own, which threads share out among themselves.
#[derive(Debug)]
pub(crate) struct Stripes<T>(Box<[Stripe<T>]>);

/// As far apart as two cache lines, which processors fetch as a pair.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe<T>(T);

/// A value shared by more threads than this shares stripes, which is no more than slower.
const MOST_STRIPES: usize = 16;

impl<T: Default> Stripes<T> {
    /// Creates a stripe for each processor, at least two.
    pub(crate) fn new() -> Stripes<T> {
        Stripes::with(MOST_STRIPES, T::default)
    }
}

impl<T> Stripes<T> {
    /// The same with at most `most` stripes, a power of two, of these values.
    pub(crate) fn with(most: usize, value: impl Fn() -> T) -> Stripes<T> {
        // A power of two, so that a stripe is found with a mask. More stripes than threads would only make the
        // sum longer.
        let cpus = std::thread::available_parallelism().map_or(2, usize::from);
        let count = cpus.next_power_of_two().clamp(2, most);
        Stripes((0..count).map(|_| Stripe(value())).collect())
    }

    /// Returns the number of this thread's stripe, and the stripe.
    #[inline]
    pub(crate) fn local_with_index(&self) -> (usize, &T) {
        // Threads are numbered in the order of their first call, so that the first ones get a stripe each, which a
        // hash of their ids would not guarantee.
        let index = thread_index() & (self.0.len() - 1);
        (index, &self.0[index].0)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index).map(|stripe| &stripe.0)
    }

    /// Returns the stripe of this thread.
    #[inline]
    pub(crate) fn local(&self) -> &T {
        self.local_with_index().1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|stripe| &stripe.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_threads_have_the_same_number() {
        let here = thread_index();
        let there = std::thread::spawn(thread_index).join().unwrap();
        assert_ne!(here, there);
        assert_eq!(here, thread_index());
    }

    #[test]
    fn stripes_lie_on_cache_lines_of_their_own() {
        let stripes = Stripes::<u8>::new();
        let places: Vec<usize> = stripes.iter().map(|stripe| std::ptr::from_ref(stripe).addr()).collect();
        assert!(places.len().is_power_of_two());
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 128), "{places:?}");
    }
}
