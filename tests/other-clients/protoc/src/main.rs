//! A `protoc` for build scripts: takes the arguments that `prost-build` passes, and compiles with `protox`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use prost::Message;
use protox::Compiler;

#[derive(Default)]
struct Arguments {
    include: Vec<PathBuf>,
    output: Option<PathBuf>,
    sources: Vec<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments(std::env::args().skip(1))?;
    let mut compiler = Compiler::new(arguments.include)?;
    compiler.include_imports(true).include_source_info(true).open_files(arguments.sources)?;
    let output = arguments.output.ok_or("`-o FILE` is missing")?;
    fs::write(output, compiler.file_descriptor_set().encode_to_vec())?;
    Ok(())
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "-I" => arguments.include.push(given.next().ok_or("`-I` needs a folder")?.into()),
            "-o" => arguments.output = Some(given.next().ok_or("`-o` needs a file")?.into()),
            "--include_imports" | "--include_source_info" => {}
            option if option.starts_with('-') => return Err(format!("`{option}` is not known here")),
            source => arguments.sources.push(source.into()),
        }
    }
    Ok(arguments)
}
