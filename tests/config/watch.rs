//! A watched file on a real file system; the tests poll it themselves.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use halfopen_config::watch::{Change, FileWatch, WatchHandle};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_was_known_is_not_told() {
    let mut world = World::with("a: 1");
    assert_eq!(world.after_minutes(3), Vec::<String>::new());
}

#[test]
fn a_watch_without_content_reports_the_file() {
    let mut world = World::with("a: 1");
    world.watch = FileWatch::new(world.file());
    assert_eq!(world.after_minutes(1), ["a: 1"]);
}

#[test]
fn a_change_in_place_is_told_once() {
    let mut world = World::with("a: 1");
    world.write("a: 2");
    assert_eq!(world.after_minutes(3), ["a: 2"]);
}

#[test]
fn a_file_touched_or_rewritten_as_it_was_is_no_change() {
    let mut world = World::with("a: 1");
    world.write("a: 1");
    assert_eq!(world.after_minutes(1), Vec::<String>::new());
}

#[test]
fn every_one_of_many_atomic_renames_is_told() {
    let mut world = World::with("a: 0");
    for n in 1..=5 {
        let text = format!("a: {n}");
        world.rename_into_place(&text);
        assert_eq!(world.after_minutes(1), [text]);
    }
}

#[test]
fn a_config_map_is_followed_through_its_links() {
    let mut world = World::empty();
    world.mount("..2026_01", "a: 1");
    symlink("..data/breakers.yaml", world.file()).unwrap();
    world.watch = FileWatch::new(world.file()).knowing("a: 1");
    world.mount("..2026_02", "a: 2");
    fs::remove_dir_all(world.directory.path().join("..2026_01")).unwrap();
    assert_eq!(world.after_minutes(1), ["a: 2"]);
}

#[test]
fn a_half_written_file_is_not_read() {
    let mut world = World::with("a: 1");
    let mut file = fs::File::create(world.file()).unwrap();
    file.write_all(b"a: 2\n").unwrap();
    assert_eq!(world.look_after(FileWatch::INTERVAL), None, "perhaps there is more to come");
    file.write_all(b"b: 3\n").unwrap();
    assert_eq!(world.look_after(FileWatch::QUIET), None, "and there was");
    assert_eq!(world.look_after(FileWatch::QUIET), Some("a: 2\nb: 3\n".into()));
}

#[test]
fn a_file_deleted_and_at_once_restored_was_never_away() {
    let mut world = World::with("a: 1");
    fs::remove_file(world.file()).unwrap();
    assert_eq!(world.look_after(FileWatch::INTERVAL), None);
    world.write("a: 1");
    assert_eq!(world.after_minutes(1), Vec::<String>::new());
}

#[test]
fn a_file_that_goes_and_returns_is_reported_once_each() {
    let mut world = World::with("a: 1");
    fs::remove_file(world.file()).unwrap();
    assert_eq!(world.after_minutes(5), ["NotFound"]);
    world.write("a: 1");
    assert_eq!(world.after_minutes(5), ["a: 1"]);
}

#[test]
fn what_is_no_text_file_is_told_once_and_watched_on() {
    let mut world = World::with("a: 1");
    fs::write(world.file(), b"a: \xff").unwrap();
    assert_eq!(world.after_minutes(2), ["InvalidData"]);
    fs::remove_file(world.file()).unwrap();
    fs::create_dir(world.file()).unwrap();
    assert_eq!(world.after_minutes(2), ["InvalidInput"]);
    fs::remove_dir(world.file()).unwrap();
    fs::File::create(world.file()).unwrap().set_len((16 << 20) + 1).unwrap();
    assert_eq!(world.after_minutes(2), ["FileTooLarge"]);
    world.write("a: 2");
    assert_eq!(world.after_minutes(2), ["a: 2"]);
}

#[test]
fn the_reason_says_what_is_wrong_with_the_file() {
    let mut world = World::with("a: 1");
    fs::write(world.file(), b"abc\xff").unwrap();
    world.watch = FileWatch::new(world.file()).quiet(Duration::ZERO);
    let Some(Change::Unreadable(error)) = world.watch.poll(Duration::ZERO) else { panic!("it was read") };
    assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::InvalidData, "is not UTF-8 in line 1"));
}

#[test]
fn between_two_looks_nothing_is_read() {
    let mut world = World::with("a: 1");
    assert_eq!(world.look_after(Duration::ZERO), None);
    world.write("a: 2");
    assert_eq!(world.look_after(FileWatch::INTERVAL / 2), None);
    assert_eq!(world.watch.due(), FileWatch::INTERVAL);
}

#[test]
fn a_nudge_makes_the_next_look_due() {
    let mut world = World::with("a: 1");
    world.look_after(FileWatch::INTERVAL);
    world.write("a: 2");
    world.now += FileWatch::QUIET * 2;
    world.watch.nudge(world.now);
    assert_eq!(world.look_after(Duration::ZERO), None, "seen, and may still be written to");
    assert_eq!(world.look_after(FileWatch::QUIET), Some("a: 2".into()));
}

#[test]
fn events_of_a_busy_directory_are_debounced() {
    let mut world = World::with("a: 1");
    world.look_after(FileWatch::INTERVAL);
    let looked = world.now;
    for _ in 0..100 {
        world.now += Duration::from_millis(1);
        world.watch.nudge(world.now);
    }
    assert_eq!(world.watch.due(), looked + FileWatch::QUIET);
}

#[test]
fn a_thread_reports_changes_and_survives_panics() {
    let world = World::with("a: 1");
    let (tell, told) = mpsc::channel();
    let watch = FileWatch::new(world.file()).interval(FileWatch::QUIET / 10).quiet(Duration::ZERO);
    let watching = watch
        .spawn(move |change| {
            let change = word(change);
            tell.send(change.clone()).unwrap();
            assert_ne!(change, "a: 2", "a bug of whoever listens");
        })
        .unwrap();
    for text in ["a: 1", "a: 2", "a: 3"] {
        world.rename_into_place(text);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), text);
    }
    drop(watching);
    assert!(told.recv().is_err(), "who told is gone when the drop is over");
}

#[test]
fn of_a_storm_of_renames_the_last_is_reported() {
    let mut world = World::with("a: 0");
    for n in 1..=500 {
        world.rename_into_place(&format!("a: {n}"));
        assert_eq!(world.look_after(FileWatch::QUIET / 3), None, "it goes on");
    }
    assert_eq!(world.after_minutes(2), ["a: 500"]);
}

#[test]
fn a_link_to_itself_is_reported_once() {
    let mut world = World::with("a: 1");
    fs::remove_file(world.file()).unwrap();
    symlink(world.file(), world.file()).unwrap();
    assert_eq!(world.after_minutes(2), ["FilesystemLoop"]);
    fs::remove_file(world.file()).unwrap();
    world.write("a: 2");
    assert_eq!(world.after_minutes(2), ["a: 2"]);
}

#[test]
fn a_file_unreadable_for_a_while_is_read_again() {
    let mut world = World::with("a: 1");
    let allow = |mode| fs::set_permissions(world.file(), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    // A privileged user is never denied access.
    let denied: &[&str] = if fs::read(world.file()).is_ok() { &[] } else { &["PermissionDenied"] };
    assert_eq!(world.after_minutes(2), denied);
    fs::set_permissions(world.file(), fs::Permissions::from_mode(0o600)).unwrap();
    world.write("a: 2");
    assert_eq!(world.after_minutes(2), ["a: 2"]);
}

#[test]
fn a_recreated_directory_is_watched_again() {
    let mut world = World::with("a: 1");
    fs::remove_dir_all(world.directory.path()).unwrap();
    assert_eq!(world.after_minutes(2), ["NotFound"]);
    fs::create_dir(world.directory.path()).unwrap();
    world.write("a: 2");
    assert_eq!(world.after_minutes(2), ["a: 2"]);
}

#[test]
fn two_watches_of_one_file_tell_both() {
    let mut world = World::with("a: 1");
    let mut other = FileWatch::new(world.file()).knowing("a: 1").quiet(Duration::ZERO);
    world.write("a: 2");
    assert_eq!(other.poll(FileWatch::INTERVAL).map(word), Some("a: 2".into()));
    assert_eq!(world.after_minutes(1), ["a: 2"]);
}

#[test]
fn a_watch_that_ends_itself_tells_no_more() {
    let world = World::with("a: 1");
    let (hand_over, own) = mpsc::channel::<WatchHandle>();
    let (tell, told) = mpsc::channel();
    let watch = FileWatch::new(world.file()).interval(FileWatch::QUIET / 10).quiet(Duration::ZERO);
    let watching = watch
        .spawn(move |change| {
            drop(own.recv().unwrap());
            tell.send(word(change)).unwrap();
        })
        .unwrap();
    hand_over.send(watching).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "a: 1");
    world.write("a: 2");
    assert_eq!(told.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
}

struct World {
    directory: TempDir,
    watch: FileWatch,
    now: Duration,
}

impl World {
    fn empty() -> World {
        let directory = tempfile::tempdir().unwrap();
        let watch = FileWatch::new(directory.path().join("breakers.yaml"));
        World { directory, watch, now: Duration::ZERO }
    }

    fn with(text: &str) -> World {
        let world = World::empty();
        world.write(text);
        World { watch: FileWatch::new(world.file()).knowing(text), ..world }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("breakers.yaml")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    fn rename_into_place(&self, text: &str) {
        let other = self.directory.path().join(".breakers.yaml.swp");
        fs::write(&other, text).unwrap();
        fs::rename(other, self.file()).unwrap();
    }

    /// As in Kubernetes: a directory for each version, and a symbolic link that is switched to it.
    fn mount(&self, version: &str, text: &str) {
        let at = |name: &str| self.directory.path().join(name);
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("breakers.yaml"), text).unwrap();
        symlink(version, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
    }

    fn look_after(&mut self, wait: Duration) -> Option<String> {
        self.now += wait;
        self.watch.poll(self.now).map(word)
    }

    /// All reports within this time.
    fn after_minutes(&mut self, minutes: u32) -> Vec<String> {
        let end = self.now + Duration::from_secs(60) * minutes;
        let mut told = Vec::new();
        while self.now < end {
            told.extend(self.look_after(FileWatch::QUIET));
        }
        told
    }
}

/// The content, or the kind of error.
fn word(change: Change) -> String {
    match change {
        Change::Content(text) => text,
        Change::Unreadable(error) => format!("{:?}", error.kind()),
    }
}
