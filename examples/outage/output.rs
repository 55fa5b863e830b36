use std::io::{self, IsTerminal, Write};

use terminal_size::{Height, Width, terminal_size_of};

use crate::render::Palette;

/// One of the two output streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

impl Output {
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }

    /// The current number of columns and rows: the window may have been resized.
    pub(crate) fn size(self) -> Option<(usize, usize)> {
        let size = match self {
            Self::Stdout => terminal_size_of(io::stdout()),
            Self::Stderr => terminal_size_of(io::stderr()),
        };
        size.map(|(Width(columns), Height(rows))| (usize::from(columns), usize::from(rows)))
    }

    pub(crate) fn palette(self) -> Palette {
        Palette::new(self.is_terminal())
    }

    /// Writes the frame with a single call: several writes would flicker.
    pub(crate) fn write(self, text: &str) -> io::Result<()> {
        match self {
            Self::Stdout => write_all(io::stdout().lock(), text),
            Self::Stderr => write_all(io::stderr().lock(), text),
        }
    }
}

fn write_all(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
