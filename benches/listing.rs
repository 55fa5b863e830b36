use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::process::Command;

/// The addresses of the program's locked instructions: those with a `lock` prefix, and `xchg` with memory,
/// which is locked without a prefix.
pub(crate) fn locked(program: &Path) -> io::Result<HashSet<u64>> {
    let output = Command::new("objdump").args(["-d", "--no-show-raw-insn"]).arg(program).output()?;
    let listing = String::from_utf8_lossy(&output.stdout);
    Ok(listing
        .lines()
        .filter_map(parse)
        .filter(|(_, code)| is_locked(code))
        .map(|(place, _)| place)
        .collect())
}

/// A line such as `   1a2b3c: lock xadd %rax,(%rdi)`.
fn parse(line: &str) -> Option<(u64, &str)> {
    let (place, code) = line.split_once(':')?;
    Some((u64::from_str_radix(place.trim(), 16).ok()?, code.trim()))
}

fn is_locked(code: &str) -> bool {
    code.starts_with("lock ") || (code.starts_with("xchg ") && code.contains('('))
}
