use std::io;
use std::path::{Path, PathBuf};

use inotify::{EventMask, Inotify, WatchMask};

/// What happens in the directory of a file.
///
/// Of the directory, not of the file: a watch on a file follows it out of the way when another is
/// renamed into its place, and under a ConfigMap only the link `..data` beside it ever changes. So
/// every event counts, whatever it names.
pub(super) struct Events {
    inotify: Inotify,
    directory: PathBuf,
    watched: bool,
}

impl Events {
    /// # Errors
    ///
    /// If the system has no more instances to give.
    pub(super) fn near(path: &Path) -> io::Result<Events> {
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        let mut events = Events { inotify: Inotify::init()?, directory, watched: false };
        events.watch();
        Ok(events)
    }

    /// Whether anything has happened since this was last asked; does not wait.
    pub(super) fn any(&mut self) -> bool {
        let mut stirred = !self.watched && self.watch();
        let mut buffer = [0; 4096];
        // An error is that there is nothing left to read, or nothing to be had: the interval holds.
        while let Ok(events) = self.inotify.read_events(&mut buffer) {
            let mut some = false;
            for event in events {
                some = true;
                // The directory itself is gone or moved away; one of its name may come again.
                if event.mask.contains(EventMask::MOVE_SELF) {
                    // It is told as `IGNORED` that this watch has ended.
                    let _ = self.inotify.watches().remove(event.wd);
                }
                if event.mask.contains(EventMask::IGNORED) {
                    self.watched = false;
                }
            }
            if !some {
                break;
            }
            stirred = true;
        }
        stirred
    }

    fn watch(&mut self) -> bool {
        let mask = WatchMask::CLOSE_WRITE
            | WatchMask::MODIFY
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::MOVE_SELF
            | WatchMask::ATTRIB
            | WatchMask::ONLYDIR;
        self.watched = self.inotify.watches().add(&self.directory, mask).is_ok();
        self.watched
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn whatever_happens_in_the_directory_is_noticed_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("breakers.yaml");
        let mut events = Events::near(&file).unwrap();
        assert!(!events.any());
        fs::write(&file, "a").unwrap();
        assert!(events.any());
        assert!(!events.any());
        fs::write(directory.path().join("new"), "b").unwrap();
        events.any();
        fs::rename(directory.path().join("new"), &file).unwrap();
        assert!(events.any(), "a file renamed into its place");
        fs::remove_file(&file).unwrap();
        assert!(events.any(), "deleted");
    }

    #[test]
    fn a_link_beside_the_file_that_is_turned_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::os::unix::fs::symlink("first", at("..data")).unwrap();
        let mut events = Events::near(&at("breakers.yaml")).unwrap();
        std::os::unix::fs::symlink("second", at("..new")).unwrap();
        events.any();
        fs::rename(at("..new"), at("..data")).unwrap();
        assert!(events.any());
    }

    #[test]
    fn a_directory_that_comes_back_is_watched_again() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("etc");
        let mut events = Events::near(&directory.join("breakers.yaml")).unwrap();
        assert!(!events.any(), "there is no such directory");
        fs::create_dir(&directory).unwrap();
        assert!(events.any(), "there is one now");
        fs::remove_dir(&directory).unwrap();
        assert!(events.any());
        fs::create_dir(&directory).unwrap();
        assert!(events.any());
        fs::write(directory.join("breakers.yaml"), "a").unwrap();
        assert!(events.any());
    }

    #[test]
    fn a_directory_that_takes_the_place_of_another_is_watched_instead() {
        let parent = tempfile::tempdir().unwrap();
        let (directory, away) = (parent.path().join("etc"), parent.path().join("etc.old"));
        fs::create_dir(&directory).unwrap();
        let mut events = Events::near(&directory.join("breakers.yaml")).unwrap();
        fs::rename(&directory, &away).unwrap();
        fs::create_dir(&directory).unwrap();
        assert!(events.any(), "it was moved away");
        assert!(events.any(), "there is another");
        assert!(!events.any());
        fs::write(away.join("breakers.yaml"), "a").unwrap();
        assert!(!events.any(), "the old one is nothing to us");
        fs::write(directory.join("breakers.yaml"), "a").unwrap();
        assert!(events.any());
    }
}
