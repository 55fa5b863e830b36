//! The checked-in code matches the `.proto`. Building the tests or the examples requires no protoc; after a
//! change of the `.proto`, run this test once with `UPDATE_GENERATED=1`. It is a separate binary, so that it
//! runs while the code of the others does not match the `.proto` yet.

use std::path::Path;
use std::{env, fs};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/tonic/proto");

#[test]
fn the_generated_code_is_current() {
    let checked_in = Path::new(FOLDER).join("inventory.rs");
    let fresh = generate();
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&checked_in, &fresh).unwrap();
    }
    let current = fs::read_to_string(&checked_in).unwrap_or_default();
    assert!(
        current == fresh,
        "inventory.rs is not what inventory.proto gives: run this test with UPDATE_GENERATED=1"
    );
}

fn generate() -> String {
    let files = protox::compile(["inventory.proto"], [FOLDER]).expect("the .proto is valid");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    fs::create_dir_all(&out).expect("the target directory is ours");
    let builder = tonic_prost_build::configure()
        .generate_default_stubs(true)
        .out_dir(&out)
        .emit_rerun_if_changed(false);
    builder.compile_fds(files).expect("the .proto is one that tonic can serve");
    fs::read_to_string(out.join("shop.v1.rs")).expect("the file is named for its package")
}
