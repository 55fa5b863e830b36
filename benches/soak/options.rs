use std::time::Duration;

/// The options of the command line.
pub(crate) struct Options {
    pub(crate) length: Duration,
    pub(crate) seed: u64,
}

impl Options {
    /// [`None`] if the arguments are for the other benchmark, which takes names of groups.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options { length: Duration::from_secs(10), seed: 1 };
        while let Some(word) = words.next() {
            let mut number = || -> Result<u64, String> {
                let text = words.next().ok_or_else(|| format!("`{word}` wants a number"))?;
                text.parse().map_err(|_| format!("`{word} {text}`: not a whole number"))
            };
            match word.as_str() {
                "--seconds" => options.length = Duration::from_secs(number()?.max(1)),
                "--seed" => options.seed = number()?,
                // The arguments that cargo passes to every benchmark and test.
                word if word.starts_with('-') => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(options))
    }
}
