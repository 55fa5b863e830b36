//! The frames of the page: made by one task while there are viewers, and shared by all of them.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use halfopen::StateChange;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::row::Row;
use super::shadow::ShadowRows;
use crate::alert::Alert;
use crate::dashboard::Overview;
use crate::lock;
use crate::monitor::Shared;

/// The time between two frames: however many events there are, a page draws this often.
const FRAME: Duration = Duration::from_millis(250);

/// Without changes, a frame is sent this often: a page that gets none knows that its connection is dead.
const HEARTBEAT: u32 = 20;

/// The frames that are kept for viewers that are slow or connect again. One that needs more gets everything.
const KEPT: usize = 20;

/// The changes of state in a frame. The others are a number: a reader cannot follow a thousand a second.
const MOST_CHANGES: usize = 25;

/// What the viewers of a monitor share.
pub(crate) struct Frames {
    /// The part of an event's id that names this process.
    process: String,
    kept: Mutex<Kept>,
    /// The number of times that the data was read.
    reads: watch::Sender<u64>,
    joined: Notify,
    /// The number of times that the streams were ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    /// The number of the newest frame.
    number: u64,
    /// The newest frames, as sent.
    frames: VecDeque<Arc<str>>,
    /// Everything, as of the last read.
    everything: Arc<Everything>,
}

/// The data of a moment, and its text if a viewer has needed it.
#[derive(Default)]
struct Everything {
    view: View,
    text: OnceLock<Option<Arc<str>>>,
}

/// The data of a moment.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) overview: Overview,
    /// Sorted by name.
    pub(crate) rows: Vec<Row>,
    /// The most severe first.
    pub(crate) firing: Arc<[Alert]>,
    pub(crate) audit: Arc<[String]>,
    pub(crate) shadows: ShadowRows,
    /// The last changes of state, the oldest first.
    pub(crate) history: Vec<StateChange>,
    /// The number of all changes of state.
    pub(crate) changes: u64,
}

/// A message to the page. A field that is absent has not changed.
#[derive(Serialize)]
struct Frame<'a> {
    /// Whether it replaces all that the page has.
    whole: bool,
    overview: Overview,
    rows: Vec<&'a Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone: Vec<&'a str>,
    history: &'a [StateChange],
    /// The changes of state that are not in `history`.
    skipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    firing: Option<&'a [Alert]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadows: Option<&'a ShadowRows>,
}

/// A page that is open.
pub(super) struct Viewer {
    shared: Arc<Shared>,
    /// The number of the last frame that it has; [`None`] if it needs everything.
    has: Option<u64>,
    reads: watch::Receiver<u64>,
    ended: watch::Receiver<u64>,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            process: format!("{:016x}", RandomState::new().hash_one(())),
            kept: Mutex::default(),
            reads: watch::Sender::new(0),
            joined: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }
}

impl Frames {
    pub(crate) fn end_streams(&self) {
        self.ended.send_modify(|times| *times += 1);
    }

    async fn watched(&self) {
        while self.reads.receiver_count() == 0 {
            self.joined.notified().await;
        }
    }

    /// Keeps the data of a moment, and its difference to the last if that is to be sent.
    fn keep(&self, view: View, frame: Option<Arc<str>>) {
        let everything = Arc::new(Everything { view, text: OnceLock::new() });
        let former = {
            let mut kept = lock(&self.kept);
            if let Some(frame) = frame {
                kept.number += 1;
                if kept.frames.len() >= KEPT {
                    kept.frames.pop_front();
                }
                kept.frames.push_back(frame);
            }
            std::mem::replace(&mut kept.everything, everything)
        };
        drop(former);
        self.reads.send_modify(|reads| *reads += 1);
    }

    /// Returns the frame that follows the one of this number, or everything, with its own number. [`None`] if there is
    /// nothing newer.
    fn after(&self, has: Option<u64>) -> Option<(u64, Arc<str>)> {
        let (number, everything) = {
            let kept = lock(&self.kept);
            match has.and_then(|has| kept.number.checked_sub(has)) {
                Some(0) => return None,
                Some(behind) if behind <= kept.frames.len() as u64 => {
                    let index = kept.frames.len() - behind as usize;
                    return Some((kept.number - behind + 1, Arc::clone(&kept.frames[index])));
                }
                Some(_) | None => (kept.number, Arc::clone(&kept.everything)),
            }
        };
        let text = everything.text.get_or_init(|| text(&everything.view.whole())).clone()?;
        Some((number, text))
    }
}

impl View {
    fn whole(&self) -> Frame<'_> {
        Frame {
            whole: true,
            overview: self.overview,
            rows: self.rows.iter().collect(),
            gone: Vec::new(),
            history: &self.history,
            skipped: 0,
            firing: Some(&self.firing),
            audit: Some(&self.audit),
            shadows: Some(&self.shadows),
        }
    }

    /// Returns the difference to a former view; [`None`] if there is none.
    fn since<'a>(&'a self, former: &'a View) -> Option<Frame<'a>> {
        let row = |view: &'a View, name: &str| {
            view.rows.binary_search_by(|row| row.name().cmp(name)).ok().map(|index| &view.rows[index])
        };
        let rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|one| !row(former, one.name()).is_some_and(|old| old.is_like(one)))
            .collect();
        let former_names = former.rows.iter().map(Row::name);
        let gone: Vec<&str> = former_names.filter(|name| row(self, name).is_none()).collect();
        let new = self.changes.saturating_sub(former.changes);
        let shown = usize::try_from(new).unwrap_or(usize::MAX).min(MOST_CHANGES).min(self.history.len());
        let firing = (self.firing != former.firing).then_some(&*self.firing);
        let audit = (self.audit != former.audit).then_some(&*self.audit);
        let shadows = (self.shadows != former.shadows).then_some(&self.shadows);
        let lists_same = firing.is_none() && audit.is_none() && shadows.is_none();
        let same = rows.is_empty() && gone.is_empty() && new == 0 && lists_same;
        (!same).then(|| Frame {
            whole: false,
            overview: self.overview,
            rows,
            gone,
            history: &self.history[self.history.len() - shown..],
            skipped: new - shown as u64,
            firing,
            audit,
            shadows,
        })
    }

    /// Returns a frame without a change: the page knows that its connection lives.
    fn heartbeat(&self) -> Frame<'_> {
        Frame {
            whole: false,
            overview: self.overview,
            rows: Vec::new(),
            gone: Vec::new(),
            history: &[],
            skipped: 0,
            firing: None,
            audit: None,
            shadows: None,
        }
    }
}

fn text(frame: &Frame<'_>) -> Option<Arc<str>> {
    // Numbers, texts and lists: none of them fails.
    serde_json::to_string(frame).ok().map(Arc::from)
}

impl Viewer {
    /// Creates a viewer that has the frame of this id, if it is one of this process.
    pub(super) fn new(shared: Arc<Shared>, id: Option<&str>) -> Viewer {
        let frames = shared.frames();
        let own = id.and_then(|id| id.strip_prefix(&*frames.process)?.strip_prefix('-')?.parse().ok());
        // One that is too old waits for a new read, and so does one of a frame that was never sent.
        let kept = lock(&frames.kept);
        let behind = own.and_then(|number: u64| kept.number.checked_sub(number));
        let has = own.filter(|_| behind.is_some_and(|behind| behind <= kept.frames.len() as u64));
        drop(kept);
        let (reads, ended) = (frames.reads.subscribe(), frames.ended.subscribe());
        frames.joined.notify_one();
        Viewer { has, reads, ended, shared }
    }

    /// Returns the next frame and its id, or [`None`] when the streams are ended.
    pub(super) async fn next(&mut self) -> Option<(String, Arc<str>)> {
        loop {
            // One that has a frame can be behind by several; a new one waits for a read that is not old.
            let newer = if self.has.is_some() { self.newer() } else { None };
            if newer.is_some() {
                return newer;
            }
            tokio::select! {
                // An error: the monitor is gone.
                read = self.reads.changed() => read.ok()?,
                _ = self.ended.changed() => return None,
            }
            if let Some(newer) = self.newer() {
                return Some(newer);
            }
        }
    }

    fn newer(&mut self) -> Option<(String, Arc<str>)> {
        let frames = self.shared.frames();
        let (number, text) = frames.after(self.has)?;
        self.has = Some(number);
        Some((format!("{}-{number}", frames.process), text))
    }
}

/// Makes frames while there are viewers, until the task is aborted.
pub(crate) async fn publish(shared: Arc<Shared>) {
    let mut silent = 0;
    loop {
        shared.frames().watched().await;
        let next = Instant::now() + FRAME;
        let former = Arc::clone(&lock(&shared.frames().kept).everything);
        let view = shared.view();
        silent += 1;
        let heartbeat = || (silent >= HEARTBEAT).then(|| view.heartbeat());
        let frame = view.since(&former.view).or_else(heartbeat).as_ref().and_then(text);
        if frame.is_some() {
            silent = 0;
        }
        shared.frames().keep(view, frame);
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use halfopen::Registry;

    use super::*;
    use crate::board::MOST_LINES;

    fn view(registry: &Registry) -> View {
        let rows = registry.breakers().iter().map(|breaker| Row::of(&breaker.snapshot(), 0.0)).collect();
        View { rows, ..View::default() }
    }

    #[test]
    fn a_frame_has_what_differs() {
        let registry = Registry::new();
        let (a, _b) = (registry.get_or_create("a"), registry.get_or_create("b"));
        let before = view(&registry);
        assert!(view(&registry).since(&before).is_none(), "nothing differs");
        a.trip();
        registry.remove("b");
        registry.get_or_create("c");
        let after = view(&registry);
        let frame = after.since(&before).unwrap();
        let names: Vec<&str> = frame.rows.iter().map(|row| row.name()).collect();
        assert_eq!((names, frame.gone), (vec!["a", "c"], vec!["b"]));
        assert_eq!((frame.firing, frame.audit), (None, None));
    }

    #[test]
    fn a_storm_of_changes_is_a_number() {
        let registry = Registry::new();
        let a = registry.get_or_create("a");
        a.trip();
        let change = a.snapshot().last_trip.unwrap();
        let history = vec![change; MOST_LINES];
        let view = View { history, changes: 1_000, ..View::default() };
        let frame = view.since(&view_of_changes(750)).map(|frame| (frame.history.len(), frame.skipped));
        assert_eq!(frame, Some((MOST_CHANGES, 225)));
    }

    fn view_of_changes(changes: u64) -> View {
        View { changes, ..View::default() }
    }

    #[test]
    fn a_viewer_gets_each_frame_once_and_everything_if_it_is_late() {
        let frames = Frames::default();
        let keep = |text: &str| frames.keep(View::default(), Some(text.into()));
        for number in 1..=KEPT {
            keep(&number.to_string());
        }
        let after = |has| frames.after(Some(has)).map(|(number, text)| (number, text.to_string()));
        assert_eq!(after(0), Some((1, "1".to_owned())));
        assert_eq!(after(19), Some((20, "20".to_owned())));
        assert_eq!(after(20), None);
        keep("21");
        let (number, whole) = after(0).unwrap();
        assert_eq!(number, 21);
        assert!(whole.starts_with("{\"whole\":true"), "{whole}");
        assert_eq!(frames.after(None).unwrap().0, 21, "a new viewer");
    }
}
