//! The ledger of requirements, `docs/requirements.toml`, is complete, and what it calls done is shown by tests that run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use holdfast_system_tests::source;
use toml::Value;

/// How many requirements each of the five documents has.
const ROWS: [(u32, u32); 5] = [(1, 19), (2, 33), (3, 17), (4, 32), (5, 10)];

struct Row {
    id: String,
    state: String,
    reason: String,
    tests: Vec<String>,
}

fn ledger() -> Vec<Row> {
    let text = source::text(Path::new("docs/requirements.toml"));
    let table: toml::Table = text.parse().expect("docs/requirements.toml is TOML");
    let rows = table["requirement"].as_array().expect("tables called [[requirement]]");
    rows.iter()
        .map(|row| {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            assert!(!text("title").is_empty(), "{} has a title", text("id"));
            let tests = row.get("tests").and_then(Value::as_array).cloned().unwrap_or_default();
            let tests = tests.iter().map(|test| test.as_str().expect("a test's name").to_owned()).collect();
            Row { id: text("id"), state: text("state"), reason: text("reason"), tests }
        })
        .collect()
}

/// The package a file belongs to, by the folder of its nearest manifest.
fn package_of(file: &Path) -> String {
    if file.starts_with("ui") {
        return "ui".to_owned();
    }
    file.ancestors()
        .skip(1)
        .find_map(|folder| {
            let manifest: toml::Table = source::text(&folder.join("Cargo.toml")).parse().ok()?;
            Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
        })
        .unwrap_or_default()
}

/// Names of the vitest tests in `text`, unless they are skipped.
fn vitest_tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for begin in ["test(", "it("] {
        for (at, _) in text.match_indices(begin) {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            let mut rest = text[at + begin.len()..].trim_start().chars();
            let Some(quote) = rest.next().filter(|quote| ['\'', '"', '`'].contains(quote)) else { continue };
            if !before.is_alphanumeric() && before != '.' && before != '_' {
                names.push(rest.take_while(|c| *c != quote).collect());
            }
        }
    }
    names
}

/// Every test of the tree by package.
fn tests_of_the_tree() -> BTreeMap<String, BTreeSet<String>> {
    let mut tests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in source::files() {
        let names = if source::has_extension(&file, &["rs"]) {
            source::rust_tests(&source::text(&file))
        } else if file.to_string_lossy().ends_with(".test.ts") {
            vitest_tests(&source::text(&file))
        } else {
            continue;
        };
        if !names.is_empty() {
            tests.entry(package_of(&file)).or_default().extend(names);
        }
    }
    tests
}

#[test]
fn every_requirement_stands_in_the_ledger_exactly_once() {
    let wanted: Vec<String> =
        ROWS.iter().flat_map(|(document, count)| (1..=*count).map(move |row| format!("S{document}.{row}"))).collect();
    assert_eq!(wanted.len(), 111);
    let listed: Vec<String> = ledger().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, wanted, "in order, each once");
}

#[test]
fn every_state_is_known_and_what_is_out_says_why() {
    for row in ledger() {
        match row.state.as_str() {
            "done" => assert!(!row.tests.is_empty(), "{} is called done, and no test shows it", row.id),
            "out" => assert!(row.reason.len() > 20, "{} is out, and does not say why", row.id),
            "open" => {}
            other => panic!("{} has the state {other:?}", row.id),
        }
    }
}

#[test]
fn every_test_that_the_ledger_names_runs() {
    let tests = tests_of_the_tree();
    let mut missing = Vec::new();
    for row in ledger() {
        for named in &row.tests {
            let (package, name) = named.split_once("::").unwrap_or_else(|| panic!("{named} is no package::test"));
            if !tests.get(package).is_some_and(|known| known.contains(name)) {
                missing.push(format!("{} names {named}", row.id));
            }
        }
    }
    assert!(missing.is_empty(), "no such tests run: {missing:#?}");
}

#[test]
fn the_search_for_tests_sees_what_runs_and_nothing_else() {
    let rust = "#[test]\nfn runs() {}\n#[tokio::test(start_paused = true)]\nasync fn runs_too() {}\n\
                #[test]\n#[ignore]\nfn rests() {}\nfn no_test() {}\n// #[test]\nfn commented() {}\n";
    assert_eq!(source::rust_tests(rust), ["runs", "runs_too"]);
    let script = "test('runs', () => {})\n  it(\"runs too\", async () => {})\ntest.skip('rests', f)\nsplit('no test')";
    assert_eq!(vitest_tests(script), ["runs", "runs too"]);
    let tests = tests_of_the_tree();
    let own = "every_test_that_the_ledger_names_runs";
    assert!(tests["holdfast-system-tests"].contains(own), "{:?}", tests.keys());
}
