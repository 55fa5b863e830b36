//! The progress of reading, on a terminal only.

use std::io::{self, IsTerminal, Write};

use halfopen_lab::BytesRead;

/// Calls between two looks.
const EVERY: u64 = 1 << 16;
const WIDTH: u64 = 30;

/// A line on the standard error that is written anew, if that is a terminal.
pub(super) struct Progress {
    size: Option<u64>,
    read: BytesRead,
    calls: u64,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new(size: Option<u64>, read: BytesRead) -> Progress {
        Progress { size, read, calls: 0, is_shown: io::stderr().is_terminal() }
    }

    pub(super) fn call(&mut self) {
        self.calls += 1;
        if self.is_shown && self.calls.is_multiple_of(EVERY) {
            self.write(&line(self.calls, self.read.get(), self.size));
        }
    }

    pub(super) fn finish(&mut self) {
        if self.is_shown {
            self.write("");
        }
    }

    fn write(&mut self, text: &str) {
        // A terminal that is gone is no reason to stop.
        let written = write!(io::stderr(), "\r\x1b[K{text}");
        self.is_shown = written.is_ok();
    }
}

fn line(calls: u64, read: u64, size: Option<u64>) -> String {
    let millions = calls as f64 / 1e6;
    let Some(size) = size.filter(|size| *size > 0) else {
        return format!("{millions:.1} M calls, {:.0} MB", read as f64 / 1e6);
    };
    let share = (read as f64 / size as f64).min(1.0);
    let done = (share * WIDTH as f64) as usize;
    let bar = "=".repeat(done) + &" ".repeat(WIDTH as usize - done);
    format!("[{bar}] {:3.0} %  {millions:.1} M calls", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_one_width() {
        let bar = "=".repeat(15) + &" ".repeat(15);
        assert_eq!(line(1_200_000, 50, Some(100)), format!("[{bar}]  50 %  1.2 M calls"));
        assert_eq!(line(0, 5_000_000, None), "0.0 M calls, 5 MB");
    }
}
