//! What a breaker remembers of the calls it has let through.

mod plain;

use plain::Plain;

use crate::Counts;
use crate::clock::Tick;
use crate::config::Form;
use crate::sync::{Mutex, lock};

/// The window of the visit that records into it.
#[derive(Debug)]
pub(crate) struct Window(Mutex<(u64, Form, Plain)>);

impl Window {
    pub(crate) fn new(epoch: u64, form: Form, now: Tick) -> Window {
        Window(Mutex::new((epoch, form, Plain::new(form, now))))
    }

    /// A visit begins: empty, anchored now.
    pub(crate) fn begin(&self, epoch: u64, form: Form, now: Tick) {
        *lock(&self.0) = (epoch, form, Plain::new(form, now));
    }

    /// A new configuration within a visit: the samples stay if the geometry does.
    pub(crate) fn reshape(&self, form: Form, now: Tick) {
        let mut window = lock(&self.0);
        if window.1 != form {
            window.2 = window.2.reshaped(form, now);
            window.1 = form;
        }
    }

    /// Notes an outcome of `epoch`; none if that visit is over.
    pub(crate) fn record(&self, epoch: u64, failure: bool, slow: bool, now: Tick) -> Option<Counts> {
        let mut window = lock(&self.0);
        (window.0 == epoch).then(|| window.2.record(failure, slow, now))
    }

    pub(crate) fn counts(&self, now: Tick) -> Counts {
        lock(&self.0).2.counts(now)
    }
}
