//! `docs/conformance.md` names, for every case, a test that is there and runs, or says that there is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::BTreeSet, path::Path};

use holdfast_system_tests::source;

/// What stands in the last column where no test does. A feature that is left out for good says why.
const NOT_YET: &str = "not yet";
const NOT_OFFERED: &str = "not offered: ";

/// The rows of all tables, without their heads.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let lines: Vec<&str> = text.lines().collect();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|---"));
    lines
        .iter()
        .enumerate()
        .filter(|(at, line)| line.starts_with('|') && !line.starts_with("|---") && !is_head(*at))
        .map(|(_, line)| cells(line))
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Why a last column is wrong, if it is.
fn wrong_with(shown_by: &str, tests: &BTreeSet<String>) -> Option<String> {
    let missing = |name: &str| !tests.contains(name);
    if shown_by == NOT_YET {
        return None;
    }
    if let Some(reason) = shown_by.strip_prefix(NOT_OFFERED) {
        let names = quoted(reason).filter(|word| word.matches('_').count() > 2);
        let gone: Vec<_> = names.filter(|name| missing(name)).collect();
        return (reason.len() < 20 || !gone.is_empty()).then(|| format!("{shown_by}: no reason, or no test {gone:?}"));
    }
    let names: Vec<_> = shown_by.split(", ").map(|name| name.trim_matches('`')).collect();
    let gone: Vec<_> = names.iter().filter(|name| missing(name)).collect();
    (!gone.is_empty()).then(|| format!("no test is called {gone:?}"))
}

fn tests_of_the_tree() -> BTreeSet<String> {
    let files = source::files().into_iter().filter(|file| source::has_extension(file, &["rs"]));
    files.flat_map(|file| source::rust_tests(&source::text(&file))).collect()
}

#[test]
fn every_test_that_the_conformance_page_names_runs() {
    let tests = tests_of_the_tree();
    let rows = rows(&source::text(Path::new("docs/conformance.md")));
    assert!(rows.len() > 120, "the page has its tables: {} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            assert_eq!(row.len(), 3, "a case, what is done, and what shows it: {row:?}");
            wrong_with(&row[2], &tests).map(|wrong| format!("{}: {wrong}", row[0]))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_page_that_names_nothing_or_gives_no_reason_is_found_out() {
    let tests = BTreeSet::from(["a_test_that_runs".to_owned()]);
    let good = ["`a_test_that_runs`", "not yet", "not offered: a person names the issuer"];
    let bad = ["", "yes", "`a_test_that_left`", "`a_test_that_runs`, `a_test_that_left`", "not offered: no"];
    assert_eq!(good.map(|cell| wrong_with(cell, &tests)), [None, None, None]);
    for cell in bad.into_iter().chain(["not offered: shown by `a_test_that_left`"]) {
        assert!(wrong_with(cell, &tests).is_some(), "{cell}");
    }
    assert_eq!(rows("| a | b |\n|---|---|\n| c | d |\n"), [["c", "d"]]);
}
