//! A registry that follows a document on a real file system.

use std::fs;
use std::time::Duration;

use fusebox::State;
use fusebox_config::watch::{FileWatch, Reload};
use fusebox_config::{Format, Live, Loader};

const FIRST: &str = "breakers:\n  payments: { open: { duration: 5s } }\n  mail: { open: { duration: 7s } }\n";
const SECOND: &str =
    "breakers:\n  payments: { open: { duration: 9s } }\n  mail: { open: { duration: 7s } }\n";

#[test]
fn a_changed_document_is_applied_without_losing_state_and_a_wrong_one_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("breakers.yaml");
    fs::write(&file, FIRST).unwrap();
    let live = Live::new(Loader::new().text("breakers.yaml", Format::Yaml, FIRST)).unwrap();
    let payments = live.get_or_create("payments");
    payments.trip();
    let mut watch = FileWatch::new(&file).knowing(FIRST);
    let mut now = Duration::ZERO;
    let mut minute = || -> Vec<Reload> {
        let looks = (0..240).filter_map(|_| {
            now += FileWatch::QUIET;
            live.poll(&mut watch, Format::Yaml, now)
        });
        looks.collect()
    };
    assert!(minute().is_empty());

    fs::write(&file, "breakers: { payments: { open: { duration: 9 } } }\n").unwrap();
    assert!(matches!(&minute()[..], [Reload::Invalid(_)]));
    assert_eq!(payments.config().open_duration(), Duration::from_secs(5));

    fs::remove_file(&file).unwrap();
    assert!(matches!(&minute()[..], [Reload::Unreadable(_)]));

    fs::write(&file, SECOND).unwrap();
    let told = minute();
    let [Reload::Applied(difference)] = &told[..] else { panic!("{told:?}") };
    let changed: Vec<_> = difference.changed().iter().map(|changed| changed.name()).collect();
    assert_eq!(changed, ["payments"]);
    assert_eq!(payments.config().open_duration(), Duration::from_secs(9));
    assert_eq!(payments.state(), State::Open);
}
