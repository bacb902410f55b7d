//! Moving in through the real window: files of the real oidc-agent, and lists of tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;

use holdfast_system_tests::{
    cli,
    idp::Lifetimes,
    memory, other_program,
    scan::{Mark, findings},
    stage::Stage,
    window::by,
    world::{self, PASSPHRASE},
};

const PASSWORD: &str = "marked password of oidc-agent";
const TOKENS: [&str; 2] = ["ghp_marked-token-number-one", "npm_marked-token-number-two"];
const LIFETIMES: Lifetimes = Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 };

/// The card of a file, in a stage of its way.
fn file(name: &str, stage: &str) -> String {
    format!("{}[data-name=\"{name}\"][data-stage={stage}]", by("import-file"))
}

#[test]
fn an_account_of_oidc_agent_and_a_list_of_tokens_move_in_and_the_window_never_holds_them() {
    let stage = Stage::new(LIFETIMES, false);
    let page = stage.window().page();
    stage.make_vault();
    page.click(&by("first-run-add"));
    page.click(&by("add-import"));
    page.wait_for(&by("import"));
    stage.window().picture("19-import");

    let first = other_program::refresh_token(&stage.idp);
    let account = other_program::oidc_agent_file(&stage.home, &stage.idp, "work", &first, PASSWORD);
    let before = fs::read(&account).unwrap();
    // Not beside the vault: the list itself holds its tokens in the clear.
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("tokens.csv");
    let lines = |last: &str| format!("label,service,token\nci,github,{}\nbuild,npm,{last}\n", TOKENS[0]);
    fs::write(&list, lines("")).unwrap();

    // A list is taken whole or not at all, and the line that does not fit is named.
    page.fill(&by("import-path"), list.to_str().unwrap());
    page.click(&by("import-submit"));
    page.wait_for(&file("tokens.csv", "failed"));
    let said = page.text(&by("import-failed")).unwrap();
    assert!(said.contains("ine 3: token is missing") && said.contains("Nothing was imported"), "{said}");
    assert!(world::accounts(&stage.home).is_empty());
    stage.window().picture("20-import-refused");
    fs::write(&list, lines(TOKENS[1])).unwrap();
    page.click(&by("import-again"));
    page.wait_for(&file("tokens.csv", "done"));
    let said = page.text(&file("tokens.csv", "done")).unwrap();
    assert!(
        said.contains("2 of 2 tokens are new") && said.contains("build") && said.contains("Delete the list"),
        "{said}"
    );

    let in_home = stage.home.beside("person").join("work");
    fs::copy(&account, &in_home).unwrap();
    stage.choose_file("import-choose", "work");
    page.wait_for(&file("work", "sealed"));
    page.fill(&by("import-password"), "not the password");
    page.click(&by("import-open"));
    page.wait_for(&by("import-wrong"));
    stage.window().picture("21-import-password");
    page.fill(&by("import-password"), PASSWORD);
    page.click(&by("import-open"));
    page.wait_for(&file("work", "done"));
    let said = page.text(&file("work", "done")).unwrap();
    assert!(said.contains("oidc-add --remove work") && said.contains("New in the list of providers"), "{said}");
    stage.window().picture("22-imported");
    for _ in 0..2 {
        page.click(&by("theme"));
    }
    stage.window().picture("23-imported-light");
    assert_eq!(fs::read(&in_home).unwrap(), before, "the file is left alone");

    page.click(&by("nav-accounts"));
    page.wait_for(&format!("{}[data-label=work][data-state=fresh]", by("account-row")));
    assert_eq!(cli::run(&stage.home, &["token", "ci"]).ok().stdout.trim(), TOKENS[0]);
    assert_eq!(world::accounts(&stage.home).len(), 3);

    // What the agent opened passed through nobody else.
    let mut secrets: Vec<String> = stage.idp.tokens().into_iter().map(|token| token.value).collect();
    secrets.extend(TOKENS.map(str::to_owned));
    secrets.push(first);
    let marks: Vec<Mark> = secrets.iter().map(|secret| Mark::new(secret)).collect();
    let processes = stage.window().processes(&["holdfast-deskto", "WebKitWebProces", "WebKitNetworkPr"]);
    let open: Vec<_> = processes.iter().filter(|process| process.is_open_to_us()).collect();
    assert!(open.len() >= 2, "{open:?} of {processes:?}");
    for process in &open {
        assert_eq!(memory::findings(process, &marks), Vec::<String>::new());
    }
    let shown = Mark::new("oidc-add --remove work");
    assert!(
        open.iter().any(|process| !memory::findings(process, std::slice::from_ref(&shown)).is_empty()),
        "the search finds what the page showed"
    );
    let marks: Vec<Mark> = marks.into_iter().chain([PASSWORD, PASSPHRASE].map(Mark::new)).collect();
    assert_eq!(findings(stage.home.everything(), &marks), Vec::<String>::new());
}

#[test]
fn a_file_that_is_dropped_on_the_window_is_imported_and_shown_until_the_lock() {
    let stage = Stage::new(LIFETIMES, false);
    let page = stage.window().page();
    stage.make_vault();
    page.click(&by("first-run-later"));
    page.wait_for(&by("accounts"));
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("my tokens");
    fs::write(&list, format!("label,service,token\nci,github,{}\n", TOKENS[0])).unwrap();
    let _source = stage.display.drop_file(&stage.home, &list, || {
        page.wait_for(&by("dropping"));
        stage.window().picture("25-dropping");
    });
    page.wait_for(&file("my tokens", "done"));
    assert_eq!(cli::run(&stage.home, &["token", "ci"]).ok().stdout.trim(), TOKENS[0]);

    let go_away_and_back = || {
        page.click(&by("nav-vault"));
        page.click(&by("vault-import"));
        page.wait_for(&by("import"));
    };
    go_away_and_back();
    page.wait_for(&file("my tokens", "done"));
    page.click(&by("lock"));
    page.wait_for(&by("unlock"));
    assert!(!page.text("body").unwrap().contains("my tokens"), "a locked window shows nothing of an import");
    page.fill(&by("unlock-passphrase"), PASSPHRASE);
    page.click(&by("unlock-submit"));
    page.wait_for(&format!("{}[data-label=ci]", by("account-row")));
    go_away_and_back();
    assert!(!page.text("body").unwrap().contains("my tokens"));
}
