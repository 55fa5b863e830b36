//! The manifests are correct: each crate declares a Rust version with which all its dependencies build, and its
//! README states the same one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

type Version = (u32, u32);

#[test]
fn no_dependency_needs_a_newer_rust_than_its_crate() {
    let metadata = metadata();
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let mut wrong = Vec::new();
    for published in published(&metadata) {
        let own = rust_version(published).expect("a published crate states its Rust version");
        for id in dependencies(text(published, "id"), &nodes) {
            let dependency = packages[id];
            if rust_version(dependency).is_some_and(|needed| needed > own) {
                wrong.push(format!(
                    "{} is for {}, and {} for {}",
                    text(published, "name"),
                    published["rust_version"],
                    text(dependency, "name"),
                    dependency["rust_version"],
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "raise `rust-version`, or use an older dependency:\n  {}", wrong.join("\n  "));
}

#[test]
fn each_readme_states_the_rust_version_of_its_crate() {
    let metadata = metadata();
    for published in published(&metadata) {
        let manifest = Path::new(text(published, "manifest_path"));
        let readme = std::fs::read_to_string(manifest.with_file_name("README.md")).expect("a README");
        let stated = format!("Rust {} or newer", text(published, "rust_version"));
        assert!(readme.contains(&stated), "{}/README.md does not have `{stated}`", text(published, "name"));
    }
}

#[test]
fn readmes_have_no_lines_that_only_rustdoc_hides() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let pages = readmes(root);
    assert!(pages.len() > published(&metadata()).len(), "only {pages:?} were looked at");
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a README");
        let code = text.split("```").skip(1).step_by(2).filter(|block| block.starts_with("rust"));
        let hidden: Vec<&str> =
            code.flat_map(str::lines).filter(|line| *line == "#" || line.starts_with("# ")).collect();
        assert!(hidden.is_empty(), "{} has {hidden:?}, which GitHub shows", page.display());
    }
}

#[test]
fn each_readme_adds_the_crates_that_its_code_uses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let metadata = metadata();
    let crates = published(&metadata).into_iter().map(|one| PathBuf::from(text(one, "manifest_path")));
    let mut missing = Vec::new();
    for page in crates.chain([root.join("Cargo.toml")]).map(|manifest| manifest.with_file_name("README.md")) {
        let (mut added, mut block) = (HashSet::new(), None);
        for line in std::fs::read_to_string(&page).expect("a README").lines() {
            block = match (line.strip_prefix("```"), block) {
                (Some(language), None) => Some(language.starts_with("rust")),
                (Some(_), Some(_)) => None,
                (None, block) => block,
            };
            added.extend(added_crates(line));
            if block == Some(true) {
                let unknown = used_crates(line).filter(|name| !added.contains(*name));
                missing.extend(unknown.map(|name| format!("{}: {name}, in `{line}`", page.display())));
            }
        }
    }
    assert!(missing.is_empty(), "no `cargo add` before the code that uses them:\n  {}", missing.join("\n  "));
}

#[test]
fn each_readme_names_the_features_of_its_crate() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for published in published(&metadata) {
        let manifest = Path::new(text(published, "manifest_path"));
        let readme = std::fs::read_to_string(manifest.with_file_name("README.md")).expect("a README");
        let features = published["features"].as_object().expect("a table of features");
        let missing =
            features.keys().filter(|name| *name != "default" && !readme.contains(&format!("`{name}`")));
        let stated = readme.lines().skip_while(|line| !line.starts_with("| feature |")).skip(2);
        let rows = stated.map_while(|line| line.strip_prefix("| `")?.split('`').next());
        let invented = rows.filter(|row| !features.contains_key(*row));
        wrong.extend(missing.map(|name| format!("{}: no word of `{name}`", text(published, "name"))));
        wrong.extend(invented.map(|name| format!("{}: no feature `{name}`", text(published, "name"))));
    }
    assert!(wrong.is_empty(), "the tables of features differ from the manifests:\n  {}", wrong.join("\n  "));
}

#[test]
fn each_link_of_a_page_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut broken = Vec::new();
    for page in readmes(root) {
        let text = std::fs::read_to_string(&page).expect("a README");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or(link);
            let is_local = !file.is_empty() && !file.contains("://");
            if is_local && !page.with_file_name(file).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "no such files:\n  {}", broken.join("\n  "));
}

/// The names, as Rust code writes them, that commands such as `cargo add a@0.1 b-c --features d` add.
fn added_crates(line: &str) -> impl Iterator<Item = String> {
    line.split("cargo add ").skip(1).flat_map(|command| {
        let end = command.find(['`', '&', '|']).unwrap_or(command.len());
        let names = command[..end].split_whitespace().take_while(|word| *word != "--features");
        let names = names.filter(|word| !word.starts_with("--"));
        names.map(|word| word.split('@').next().unwrap_or(word).replace('-', "_"))
    })
}

/// The first segments of the paths in a line of code that are names of crates.
fn used_crates(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or(line);
    let of_the_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let paths = code.split(move |c| !of_the_path(c)).filter_map(|path| path.split_once("::"));
    paths
        .map(|(first, _)| first)
        .filter(|first| first.starts_with(|c: char| c.is_lowercase()) && !matches!(*first, "std" | "core"))
}

/// The READMEs in the folder and its subfolders, except those of cargo and git.
fn readmes(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.partition(|path| path.is_dir() && !path.is_symlink());
    let own = files.into_iter().filter(|file| file.file_name().is_some_and(|name| name == "README.md"));
    own.chain(folders.iter().filter(|folder| is_of_the_repository(folder)).flat_map(|folder| readmes(folder)))
        .collect()
}

fn is_of_the_repository(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name != "target" && !name.starts_with('.')
}

/// The normal and build dependencies, including transitive ones.
fn dependencies<'a>(root: &'a str, nodes: &HashMap<&'a str, &'a Value>) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut unvisited = vec![root];
    while let Some(id) = unvisited.pop() {
        let used = nodes[id]["deps"].as_array().expect("a list of dependencies");
        for used in used.iter().filter(|used| is_for_users(used)) {
            let id = text(used, "pkg");
            if found.insert(id) {
                unvisited.push(id);
            }
        }
    }
    found
}

/// The tests of a crate may require a newer Rust version than its users.
fn is_for_users(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array().expect("a list of kinds");
    kinds.iter().any(|kind| kind["kind"] != "dev" && kind["target"] != "cfg(loom)")
}

fn published(metadata: &Value) -> Vec<&Value> {
    let members = metadata["workspace_members"].as_array().expect("a list of members");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let is_published =
        |package: &&Value| members.contains(&package["id"]) && package["publish"] != Value::Array(Vec::new());
    let published: Vec<&Value> = packages.iter().filter(is_published).collect();
    assert!(published.len() >= 9, "only {} crates were looked at", published.len());
    published
}

fn by_id(list: &Value) -> HashMap<&str, &Value> {
    list.as_array().expect("a list").iter().map(|one| (text(one, "id"), one)).collect()
}

fn rust_version(package: &Value) -> Option<Version> {
    let mut parts = package["rust_version"].as_str()?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {value}"))
}

/// For the platform of this machine: packages of other platforms need not be downloaded.
fn metadata() -> Value {
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let arguments =
        ["metadata", "--all-features", "--locked", "--format-version", "1", "--filter-platform", host];
    serde_json::from_str(&run(env!("CARGO"), &arguments)).expect("cargo metadata is JSON")
}

fn run(program: &str, arguments: &[&str]) -> String {
    let command = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = command.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
