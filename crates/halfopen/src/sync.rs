//! Atomics and locks: those of the standard library, or loom's for the models.

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

/// Locks a mutex, and ignores poisoning.
///
/// No user code runs under the locks of this crate, so the data that they guard is consistent even if a thread
/// panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A value that is replaced as a whole while others read it.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct Shared<T>(arc_swap::ArcSwap<T>);

#[cfg(not(loom))]
impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared(arc_swap::ArcSwap::from_pointee(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = std::sync::Arc<T>> + use<T> {
        self.0.load()
    }

    pub(crate) fn store(&self, value: std::sync::Arc<T>) {
        self.0.store(value);
    }
}

/// The same for the models: loom does not model `arc_swap`, so a lock takes its place.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Shared<T>(Mutex<std::sync::Arc<T>>);

#[cfg(loom)]
impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared(Mutex::new(std::sync::Arc::new(value)))
    }

    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = std::sync::Arc<T>> + use<T> {
        Box::new(std::sync::Arc::clone(&lock(&self.0)))
    }

    pub(crate) fn store(&self, value: std::sync::Arc<T>) {
        *lock(&self.0) = value;
    }
}

/// A fence for the models only: loom treats a sequentially consistent access as acquire and release.
#[inline(always)]
pub(crate) fn model_fence() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}
