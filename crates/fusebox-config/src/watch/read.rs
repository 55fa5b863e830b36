use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// No document is that long; what is was named by mistake, and shall not fill the memory.
const LONGEST: u64 = 16 << 20;

/// The text of a file.
pub(super) fn text(path: &Path) -> io::Result<String> {
    // Asked first: opening a pipe waits for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let why = format!("is longer than {} MiB", LONGEST >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        io::Error::new(ErrorKind::InvalidData, format!("is not UTF-8 from byte {place} on"))
    })
}
