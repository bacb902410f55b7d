//! Looking after the vault in the real window: an older copy, the recovery code, a backup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{fs, path::PathBuf, time::Duration};

use holdfast_system_tests::{
    cli,
    home::Home,
    idp::Lifetimes,
    scan::{Mark, findings},
    stage::Stage,
    vault_file, wait,
    window::by,
    world::{self, PASSPHRASE, SOON},
};

const NEW_PASSPHRASE: &str = "marked second passphrase 4 kites at Kivik";
/// Longer than the longest hold of a button.
const HELD: Duration = Duration::from_secs(3);
const LIFETIMES: Lifetimes = Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 };

/// The vault and what SQLite keeps beside it.
fn vault_files(home: &Home) -> Vec<PathBuf> {
    ["vault.db", "vault.db-wal", "vault.db-shm"].map(|name| home.path().join(name)).to_vec()
}

/// The vault as it is now, to be put back later.
fn copied(home: &Home) -> Vec<(Option<Vec<u8>>, PathBuf)> {
    vault_files(home).into_iter().map(|file| (fs::read(&file).ok(), file)).collect()
}

fn put_back(older: &[(Option<Vec<u8>>, PathBuf)]) {
    for (bytes, file) in older {
        match bytes {
            Some(bytes) => fs::write(file, bytes).unwrap(),
            None => drop(fs::remove_file(file)),
        }
    }
}

fn with_alice() -> Stage {
    let stage = Stage::new(LIFETIMES, false);
    stage.make_vault();
    stage.window().page().click(&by("first-run-add"));
    stage.sign_in_as("alice", "alice-pw");
    stage.window().page().click(&by("sign-in-finish"));
    stage.window().page().wait_for(&by("account-row"));
    stage
}

fn lock(stage: &Stage) {
    stage.window().page().click(&by("lock"));
    stage.window().page().wait_for(&by("unlock"));
}

fn unlock(stage: &Stage, passphrase: &str) {
    stage.window().page().fill(&by("unlock-passphrase"), passphrase);
    stage.window().page().click(&by("unlock-submit"));
}

/// A picture in each theme.
fn pictures(stage: &Stage, name: &str) {
    let page = stage.window().page();
    for _ in 0..3 {
        page.click(&by("theme"));
        let choice = page.attribute(&by("theme"), "data-choice").unwrap();
        if choice != "system" {
            stage.window().picture(&format!("{name}-{choice}"));
        }
    }
}

#[test]
fn an_older_copy_is_shown_and_nothing_of_it_is_used_before_the_person_says_so() {
    let stage = with_alice();
    let page = stage.window().page();
    lock(&stage);
    let older = copied(&stage.home);
    unlock(&stage, PASSPHRASE);
    page.click(&by("account-row"));
    page.click(&by("refresh"));
    wait::until_true("a renewal", SOON, || stage.idp.refreshes().len() == 1);
    wait::until("the renewal to be kept", SOON, || match world::accounts(&stage.home)[0]["state"].as_str() {
        Some("fresh") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    lock(&stage);
    put_back(&older);

    unlock(&stage, PASSPHRASE);
    page.wait_for(&format!("{}[data-standing=older]", by("standing")));
    let said = page.text(&by("standing")).unwrap();
    assert!(said.contains("older copy of your vault") && said.contains("missing"), "{said}");
    page.wait_for(&format!("{}:disabled", by("row-refresh")));
    assert!(page.has(&format!("{}:disabled", by("add-account"))));
    pictures(&stage, "10-older-copy");
    page.tap(&by("standing-accept"));
    assert!(page.has(&by("standing")), "a mere click is not enough");
    assert_eq!(stage.idp.refreshes().len(), 1, "nothing of it is sent anywhere");

    page.hold(&by("standing-accept"), HELD);
    page.wait_for(&format!("{}:enabled", by("row-refresh")));
    assert!(!page.has(&by("standing")));
    // What the strip said comes true: the token in it is spent.
    page.click(&by("row-refresh"));
    page.wait_for(&format!("{}[data-state=needs_sign_in]", by("account-row")));
}

#[test]
fn a_copy_from_before_a_change_of_the_key_is_told_for_one_in_the_window() {
    let stage = with_alice();
    let page = stage.window().page();
    lock(&stage);
    let older = copied(&stage.home);
    unlock(&stage, PASSPHRASE);
    page.click(&by("nav-vault"));
    page.fill(&by("key-proof"), PASSPHRASE);
    page.click(&by("key-renew"));
    page.fill(&by("key-new"), NEW_PASSPHRASE);
    page.fill(&by("key-new-again"), NEW_PASSPHRASE);
    page.click(&by("key-change"));
    page.wait_for(&by("vault-view"));
    wait::until_true("the key to be changed", SOON, || {
        page.text(&by("toast")).is_ok_and(|said| said.contains("The key was changed"))
    });
    lock(&stage);
    put_back(&older);

    unlock(&stage, PASSPHRASE);
    page.wait_for(&format!("{}[data-standing=older]", by("standing")));
    let said = page.text(&by("standing")).unwrap();
    assert!(said.contains("This is an older copy of your vault.") && !said.contains("missing"), "{said}");
    page.wait_for(&format!("{}:disabled", by("row-refresh")));
    stage.window().picture("24-before-a-new-key");
    page.hold(&by("standing-accept"), HELD);
    page.wait_for(&format!("{}:enabled", by("row-refresh")));
}

#[test]
fn a_record_that_does_not_open_is_named_in_the_window_and_deleted_when_its_person_says_so() {
    let stage = with_alice();
    let page = stage.window().page();
    lock(&stage);
    vault_file::run_sql(&stage.home, "UPDATE accounts SET overview = zeroblob(length(overview))");
    unlock(&stage, PASSPHRASE);
    page.click(&by("damaged-look"));
    page.wait_for(&by("damaged-record"));
    pictures(&stage, "26-damaged");
    page.tap(&by("damaged-remove"));
    assert!(page.has(&by("damaged-record")), "a mere click is not enough");
    page.hold(&by("damaged-remove"), HELD);
    page.wait_for(&by("check-whole"));
    cli::run(&stage.home, &["check"]).ok();
}

#[test]
fn a_recovery_code_is_shown_once_opens_the_vault_and_stands_in_no_file() {
    let mut stage = Stage::new(LIFETIMES, false);
    let page = stage.window().page();
    stage.make_vault();
    page.click(&by("first-run-later"));
    page.click(&by("nav-vault"));
    page.fill(&by("recovery-passphrase"), PASSPHRASE);
    page.click(&by("recovery-make"));
    page.wait_for(&by("recovery-code"));
    let groups = format!(
        "return [...document.querySelector('{}').children].map(e => e.textContent).join('-')",
        by("recovery-code")
    );
    let code = page.run(&groups).unwrap().as_str().unwrap().to_owned();
    assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4; 8], "eight groups of four");
    pictures(&stage, "11-recovery-code");
    page.click(&by("recovery-on-paper"));
    page.wait_for(&by("recovery-done"));
    let shows = || page.run("return document.documentElement.outerHTML").unwrap().to_string();
    assert!(!shows().contains(&code[..9]) && !shows().contains(&code[..4]), "it is gone from the page");

    lock(&stage);
    page.click(&by("unlock-by-code"));
    stage.window().picture("12-unlock-by-code");
    page.fill(&by("unlock-code"), "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF-GGGG-HHHH");
    page.click(&by("unlock-submit"));
    page.wait_for(&by("unlock-wrong"));
    page.fill(&by("unlock-code"), &code.to_lowercase().replace('-', " "));
    page.click(&by("unlock-submit"));
    page.wait_for(&by("recovered"));

    page.fill(&by("key-proof"), &code);
    page.fill(&by("key-new"), NEW_PASSPHRASE);
    page.fill(&by("key-new-again"), NEW_PASSPHRASE);
    stage.window().picture("13-recovered");
    page.click(&by("key-change"));
    page.wait_for(&by("vault-recovery"));
    wait::until_true("the code to be void", SOON, || {
        page.text(&by("vault-has-code")).is_ok_and(|text| text.contains("None"))
    });
    pictures(&stage, "14-vault");
    lock(&stage);
    unlock(&stage, NEW_PASSPHRASE);
    page.wait_for(&by("accounts"));

    stage.close_window();
    let whole = code.replace('-', "");
    let marks = [code.as_str(), &whole, &code[..19], PASSPHRASE, NEW_PASSPHRASE].map(Mark::new);
    assert_eq!(findings(stage.home.everything(), &marks), Vec::<String>::new());
}

#[test]
fn a_backup_made_in_one_window_is_restored_in_another_and_used_after_the_person_says_so() {
    let old = with_alice();
    let page = old.window().page();
    page.click(&by("nav-vault"));
    page.click(&by("check-now"));
    page.wait_for(&by("check-whole"));
    page.fill(&by("backup-path"), "~/alice.backup");
    page.fill(&by("backup-passphrase"), PASSPHRASE);
    page.click(&by("backup-make"));
    page.wait_for(&by("backup-done"));
    pictures(&old, "15-backup");
    let file = old.home.beside("person").join("alice.backup");
    assert!(file.is_file(), "{}", page.text(&by("backup-done")).unwrap());

    let new = Stage::new(LIFETIMES, false);
    let page = new.window().page();
    page.click(&by("first-run-restore"));
    page.fill(&by("restore-path"), &file.display().to_string());
    page.fill(&by("restore-passphrase"), "not the passphrase of it");
    page.click(&by("restore-submit"));
    page.wait_for(&by("restore-failed"));
    // No keyring runs here, which is said first; the next try is for a passphrase alone.
    page.fill(&by("restore-passphrase"), "not the passphrase of it");
    page.click(&by("restore-submit"));
    wait::until("the wrong passphrase to be said", SOON, || match page.text(&by("restore-failed")) {
        Ok(said) if said.contains("does not open this backup") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    new.window().picture("16-restore");
    page.fill(&by("restore-passphrase"), PASSPHRASE);
    page.click(&by("restore-submit"));
    page.wait_for(&by("restore-done"));
    new.window().picture("17-restored");
    page.click(&by("restore-go"));
    page.wait_for(&format!("{}[data-standing=restored]", by("standing")));
    page.wait_for(&by("account-row"));
    pictures(&new, "18-restored-unaccepted");
    page.hold(&by("standing-accept"), HELD);
    page.wait_for(&format!("{}:enabled", by("row-refresh")));
}
