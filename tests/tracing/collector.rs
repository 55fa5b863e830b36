use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Metadata, Subscriber};

/// An event, as the subscriber received it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) message: String,
    fields: BTreeMap<String, String>,
}

impl Heard {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// Returns all events of this level or a more severe one that are emitted by the closure.
///
/// # Panics
///
/// If a span is opened.
pub(crate) fn listen(most: Level, work: impl FnOnce()) -> Vec<Heard> {
    let events = Arc::new(Mutex::new(Vec::new()));
    with_default(Collector { most, events: Arc::clone(&events) }, work);
    events.lock().unwrap().clone()
}

struct Collector {
    most: Level,
    events: Arc<Mutex<Vec<Heard>>>,
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        self.events.lock().unwrap().push(Heard {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            message: fields.0.remove("message").unwrap_or_default(),
            fields: fields.0,
        });
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        panic!("a span: {}", span.metadata().name());
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
