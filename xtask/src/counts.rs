//! How many tests ran: read from what the runners say.

/// What one program of tests said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// `unittests src/lib.rs (target/debug/deps/holdfast_model-0123)`, shortened.
    pub name: String,
    /// How many tests it ran.
    pub ran: u32,
    /// Its closing line.
    pub closing: String,
}

/// The groups of a `cargo test`, its doc tests aside: most crates have none.
pub fn cargo_groups(lines: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut inside = false;
    for line in lines.iter().map(|line| line.trim()) {
        if let Some(name) = line.strip_prefix("Running ").filter(|name| name.contains("/deps/")) {
            groups.push(Group { name: short(name), ..Group::default() });
            inside = true;
        } else if line.starts_with("Doc-tests ") {
            inside = false;
        } else if let Some(group) = groups.last_mut().filter(|_| inside) {
            if let Some(count) = line.strip_prefix("running ").and_then(|rest| rest.split(' ').next()) {
                group.ran += count.parse::<u32>().unwrap_or(0);
            } else if line.starts_with("test result: ") {
                line.clone_into(&mut group.closing);
            }
        }
    }
    groups
}

/// `unittests src/lib.rs (target/debug/deps/holdfast_model-0123)` as `holdfast_model (src/lib.rs)`.
fn short(name: &str) -> String {
    let source = name.trim_start_matches("unittests ").split(' ').next().unwrap_or(name);
    let binary = name.rsplit('/').next().unwrap_or(name).trim_end_matches(')');
    let binary = binary.rsplit_once('-').map_or(binary, |(binary, _)| binary);
    format!("{binary} ({source})")
}

/// The tests of a vitest run, and its closing lines.
pub fn vitest(lines: &[String]) -> Group {
    let plain: Vec<String> = lines.iter().map(|line| without_colours(line)).collect();
    let closing: Vec<&str> = plain
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with("Test Files ") || line.starts_with("Tests "))
        .collect();
    let ran = closing.iter().find_map(|line| {
        let rest = line.strip_prefix("Tests ")?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let at = words.iter().position(|word| word.starts_with("passed"))?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    });
    Group { name: "user interface (vitest)".to_owned(), ran: ran.unwrap_or(0), closing: closing.join(" · ") }
}

/// Takes the colour sequences (ECMA-48 `ESC [ ... m`) out.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_program_of_tests_is_counted_and_doc_tests_are_not() {
        let said = "   Compiling x\n     Running unittests src/lib.rs (target/debug/deps/holdfast_model-1f)\n\n\
                    running 3 tests\ntest a ... ok\ntest result: ok. 3 passed; 0 failed\n\
                    \x20    Running tests/keyring.rs (target/debug/deps/keyring-2e)\n\nrunning 0 tests\n\n\
                    test result: ok. 0 passed; 0 failed\n   Doc-tests holdfast_model\n\nrunning 0 tests\ntest result: ok. 0 passed\n";
        let groups = cargo_groups(&lines(said));
        let counted: Vec<(&str, u32)> = groups.iter().map(|group| (group.name.as_str(), group.ran)).collect();
        assert_eq!(counted, [("holdfast_model (src/lib.rs)", 3), ("keyring (tests/keyring.rs)", 0)]);
        assert_eq!(groups[0].closing, "test result: ok. 3 passed; 0 failed");
    }

    #[test]
    fn vitest_is_counted_with_and_without_colours() {
        let said = " ✓ src/a.test.ts (2 tests)\n\n \u{1b}[2m Test Files \u{1b}[22m \u{1b}[32m2 passed\u{1b}[39m (2)\n      Tests  1 failed | 23 passed (24)\n";
        assert_eq!(vitest(&lines(said)).ran, 23);
        assert_eq!(vitest(&lines("No test files found")).ran, 0);
    }
}
