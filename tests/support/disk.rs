//! A disk that is soon full.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system of two megabytes in memory. It is unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts it, or returns [`None`] where that needs rights that the test does not have.
    pub fn mount() -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a folder for temporary files");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk(folder))
    }

    /// Returns the folder in which it is mounted, which every account can write.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that still runs has files on it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
