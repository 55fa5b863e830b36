//! A registry that follows a document on a real file system.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use halfopen::{Event, State, Subscription};
use halfopen_config::watch::{FileWatch, Reload};
use halfopen_config::{Format, LiveRegistry, Loader, Overrides};

const FIRST: &str = "breakers:\n  payments: { open: { duration: 5s } }\n  mail: { open: { duration: 7s } }\n";
const SECOND: &str =
    "breakers:\n  payments: { open: { duration: 9s } }\n  mail: { open: { duration: 7s } }\n";
const WRONG: &str = "breakers: { payments: { open: { duration: 9 } } }\n";

/// A document on disk, a registry that follows it, and a clock for looking at it.
struct Followed {
    directory: tempfile::TempDir,
    live: LiveRegistry,
    watch: FileWatch,
    now: Duration,
}

impl Followed {
    fn new() -> Followed {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("breakers.yaml");
        fs::write(&file, FIRST).expect("a file");
        Followed::at(directory, &file)
    }

    fn at(directory: tempfile::TempDir, file: &Path) -> Followed {
        let live = LiveRegistry::new(Loader::new().file(file)).expect("a valid document");
        let watch = FileWatch::new(file).knowing(FIRST);
        Followed { directory, live, watch, now: Duration::ZERO }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, text: &str) {
        fs::write(self.watch.path(), text).expect("written");
    }

    /// The reports within a minute of polling.
    fn minute(&mut self) -> Vec<Reload> {
        let looks = (0..240).filter_map(|_| {
            self.now += FileWatch::QUIET;
            self.live.poll(&mut self.watch, Format::Yaml, self.now)
        });
        looks.collect()
    }

    /// The description of the only change within a minute.
    fn applied(&mut self) -> String {
        match &self.minute()[..] {
            [Reload::Applied { difference, .. }] => difference.to_string(),
            told => panic!("{told:?}"),
        }
    }

    fn wait_of(&self, name: &str) -> Duration {
        self.live.registry().get(name).expect("there is one").config().open_duration()
    }

    /// Collects the names of the breakers that report a new configuration.
    fn reconfigured(&self) -> (Arc<Mutex<Vec<String>>>, Subscription) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&told);
        let subscription = self.live.registry().on_event(move |breaker, event| {
            if let Event::ConfigChanged { .. } = event {
                ears.lock().expect("whole").push(breaker.name().to_owned());
            }
        });
        (told, subscription)
    }
}

const CHANGED: &str = "changed `payments`: open.duration 5s -> 9s";

#[test]
fn a_document_renamed_into_its_place_is_applied() {
    let mut followed = Followed::new();
    assert!(followed.minute().is_empty());
    fs::write(followed.path(".breakers.yaml.tmp"), SECOND).unwrap();
    fs::rename(followed.path(".breakers.yaml.tmp"), followed.path("breakers.yaml")).unwrap();
    assert_eq!(followed.applied(), CHANGED);
    assert_eq!(followed.wait_of("payments"), Duration::from_secs(9));
    assert!(followed.minute().is_empty(), "once");
}

#[test]
fn the_warnings_of_a_document_come_with_it() {
    let mut followed = Followed::new();
    followed.write("breakers: { payments: { trip: { failure_rate: { threshold: 1 } } } }");
    let told = followed.minute();
    let [Reload::Applied { warnings, .. }] = &told[..] else { panic!("{told:?}") };
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.message().ends_with("is 1, which is all calls"), "{warning}");
}

#[cfg(unix)]
#[test]
fn a_config_map_whose_link_is_turned_is_applied() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (version, text) in [("..1", FIRST), ("..2", SECOND)] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("breakers.yaml"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/breakers.yaml", at("breakers.yaml")).unwrap();
    let file = at("breakers.yaml");
    let mut followed = Followed::at(directory, &file);

    symlink("..2", followed.path("..data_tmp")).unwrap();
    fs::rename(followed.path("..data_tmp"), followed.path("..data")).unwrap();
    fs::remove_dir_all(followed.path("..1")).unwrap();

    assert_eq!(followed.applied(), CHANGED);
}

#[test]
fn half_a_document_is_not_applied() {
    let mut followed = Followed::new();
    // A complete document, without `mail`.
    let half = SECOND.split_inclusive('\n').take(2).collect::<String>();
    followed.write(&half);
    followed.now += FileWatch::INTERVAL;
    assert!(followed.live.poll(&mut followed.watch, Format::Yaml, followed.now).is_none());
    followed.write(SECOND);

    assert_eq!(followed.applied(), CHANGED);
    assert!(followed.live.registry().get("mail").is_some());
}

#[test]
fn a_deleted_and_restored_document_changes_nothing() {
    let mut followed = Followed::new();
    fs::remove_file(followed.path("breakers.yaml")).unwrap();
    assert!(matches!(&followed.minute()[..], [Reload::Unreadable(_)]));
    assert_eq!(followed.live.registry().len(), 2);
    let (reconfigured, _subscription) = followed.reconfigured();

    followed.write(FIRST);

    assert_eq!(followed.applied(), "nothing changed");
    assert!(reconfigured.lock().unwrap().is_empty());
    followed.write(SECOND);
    assert_eq!(followed.applied(), CHANGED, "it is still watched");
}

#[test]
fn a_wrong_document_is_reported_once() {
    let mut followed = Followed::new();
    followed.write(WRONG);
    let told = followed.minute();
    let [Reload::Invalid(error)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(error.problems()[0].path(), "breakers.payments.open.duration");
    assert!(followed.minute().is_empty(), "told once");
    assert_eq!(followed.wait_of("payments"), Duration::from_secs(5));
    assert_eq!(followed.live.registry().len(), 2);

    followed.write(SECOND);
    assert_eq!(followed.applied(), CHANGED);
}

#[test]
fn a_reload_touches_what_it_changes_and_nothing_else() {
    let mut followed = Followed::new();
    let [payments, mail] = ["payments", "mail"].map(|name| followed.live.registry().get(name).unwrap());
    payments.trip();
    mail.try_acquire().unwrap().failure();
    let (reconfigured, _subscription) = followed.reconfigured();

    followed.write(&format!("{SECOND}  search: {{}}\n"));
    assert_eq!(followed.applied(), format!("created `search`; {CHANGED}"));
    assert_eq!(*reconfigured.lock().unwrap(), ["payments"]);
    assert_eq!(payments.state(), State::Open);
    assert_eq!(mail.snapshot().counts.consecutive_failures, 1);
    assert!(followed.live.registry().get("search").is_some());

    followed.write("breakers: { payments: { open: { duration: 9s } } }");
    assert_eq!(followed.applied(), "removed `mail`, `search`");
    assert!(followed.live.registry().get("mail").is_none());
    assert!(mail.try_acquire().is_ok(), "whoever holds it goes on");
    assert_eq!(*reconfigured.lock().unwrap(), ["payments"]);
}

#[test]
fn an_override_outlives_every_reload() {
    let mut followed = Followed::new();
    let [payments, mail] = ["payments", "mail"].map(|name| followed.live.registry().get(name).unwrap());
    payments.force_open();
    mail.metrics_only();
    for text in ["breakers: { payments: { enabled: false }, mail: { enabled: false } }", SECOND] {
        followed.write(text);
        followed.applied();
        assert_eq!([payments.state(), mail.state()], [State::ForcedOpen, State::MetricsOnly]);
    }
    assert_eq!(payments.config().open_duration(), Duration::from_secs(9), "the numbers are the new ones");
}

#[test]
fn the_thread_of_follow_tells_what_it_has_applied() {
    /// Longer than on any machine.
    const LIMIT: Duration = Duration::from_secs(60);
    let followed = Followed::new();
    let (sender, receiver) = mpsc::channel();
    let changes = followed.live.changes();
    let watch = FileWatch::new(followed.watch.path()).knowing(FIRST).interval(Duration::from_millis(20));
    let watching = followed
        .live
        .follow(watch.quiet(Duration::from_millis(20)), Format::Yaml, move |reload| {
            // The test may have ended.
            let _ = sender.send(reload);
        })
        .unwrap();

    for (text, valid) in [(SECOND, true), (WRONG, false), (FIRST, true)] {
        fs::write(followed.path("new"), text).unwrap();
        fs::rename(followed.path("new"), followed.path("breakers.yaml")).unwrap();
        let told = receiver.recv_timeout(LIMIT).expect("the thread follows");
        assert_eq!(matches!(told, Reload::Applied { .. }), valid, "{told:?}");
    }
    assert_eq!(changes.try_iter().map(|change| change.to_string()).collect::<Vec<_>>()[0], CHANGED);
    drop(watching);
    assert!(receiver.recv_timeout(LIMIT).is_err(), "the thread is gone, and its sender with it");
}

#[test]
fn who_is_told_of_a_change_may_make_another() {
    let followed = Followed::new();
    let (sender, receiver) = mpsc::channel();
    let inner = followed.live.clone();
    let watch = FileWatch::new(followed.watch.path()).quiet(Duration::ZERO);
    let watching = followed
        .live
        .follow(watch, Format::Yaml, move |_| {
            let own = Overrides::new().set("open.duration", "1s");
            // The test may have ended.
            let _ = sender.send(inner.update("payments", own));
        })
        .unwrap();
    let difference = receiver.recv_timeout(Duration::from_secs(60)).expect("no lock is held").unwrap();
    assert_eq!(difference.to_string(), "changed `payments`: open.duration 5s -> 1s");
    drop(watching);
    assert_eq!(followed.wait_of("payments"), Duration::from_secs(1));
}

#[test]
fn a_document_cut_to_nothing_releases_nobody() {
    let mut followed = Followed::new();
    followed.write("");
    let told = followed.minute();
    let [Reload::Invalid(error)] = &told[..] else { panic!("{told:?}") };
    assert!(error.to_string().contains("the document is empty"), "{error}");
    assert_eq!(followed.live.registry().len(), 2);
}
