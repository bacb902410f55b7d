//! Moving in: accounts of the real oidc-agent, and tokens that people made by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    binaries::repository,
    cli,
    idp::Lifetimes,
    other_program,
    scan::{Mark, findings},
    world::World,
};
use holdfast_wire::State;

const PASSWORD: &str = "marked password of oidc-agent";

fn import(world: &World, file: &str, password: &str, more: &[&str]) -> cli::Output {
    let arguments = [&["import", "oidc-agent", file, "--password-stdin"], more].concat();
    cli::run_with(&world.home, &arguments, &format!("{password}\n"), &[])
}

#[test]
fn an_account_of_the_real_oidc_agent_moves_in_and_lives_on() {
    let mut world = World::new(Lifetimes::default());
    let first = other_program::refresh_token(&world.idp);
    let path = other_program::oidc_agent_file(&world.home, &world.idp, "work", &first, PASSWORD);
    let before = std::fs::read(&path).unwrap();
    let in_the_file = world.idp.current_refresh_token("alice");
    assert_ne!(in_the_file, first, "oidc-gen used the first one");
    let file = path.to_str().unwrap();

    let wrong = import(&world, file, "not the password", &["--json"]).failed_with(1);
    assert_eq!(wrong.error_code(), "import_wrong_password");
    let imported = import(&world, file, PASSWORD, &["--json"]).ok().json();
    let done = &imported["files"][0]["imported"];
    assert_eq!((done["outcome"].as_str(), done["rotated"].as_bool()), (Some("imported"), Some(true)), "{imported}");
    assert_eq!(done["provider_added"], true, "{imported}");
    assert_eq!(done["account"]["subject"], "alice", "the ID token says whose it is: {imported}");
    let notes = done["notes"].to_string();
    assert!(notes.contains("spent") && notes.contains("oidc-add --remove work"), "{notes}");
    assert_eq!(world.account("work").state, State::Fresh);
    assert_eq!(std::fs::read(&path).unwrap(), before, "the file is left alone");

    let token = world.run(&["token", "work"]).ok().stdout;
    let access = world.idp.tokens().into_iter().find(|known| known.value == token.trim());
    assert_eq!(access.expect("the provider knows the token").user, "alice");
    world.run(&["refresh", "work"]).ok();

    // Once more, also after a restart: nothing is sent, for a spent token would end the session.
    let asked = world.idp.refreshes().len();
    world.kill_agent();
    world.restart_agent();
    let again = import(&world, file, PASSWORD, &["--json"]).ok().json();
    assert_eq!(again["files"][0]["imported"]["outcome"], "already_there", "{again}");
    let words = import(&world, file, PASSWORD, &[]).ok().stdout;
    assert!(words.contains("work is here already"), "{words}");
    assert_eq!(world.idp.refreshes().len(), asked);
    world.run(&["refresh", "work"]).ok();
    assert!(world.idp.refreshes().iter().all(|seen| seen.outcome == "ok"), "{:?}", world.idp.refreshes());

    let tokens = world.idp.ever_issued().into_iter().map(|token| token.value);
    let marks: Vec<_> = tokens
        .chain([PASSWORD.to_owned(), other_program::CLIENT.1.to_owned()])
        .map(|secret| Mark::new(&secret))
        .collect();
    assert!(marks.len() > 8);
    assert_eq!(findings(world.home.everything(), &marks), Vec::<String>::new());

    // What the real program decrypts is the same account.
    let printed = other_program::oidc_gen_prints(&world.home, &path, PASSWORD);
    let again = cli::run_with(&world.home, &["import", "oidc-agent", "-", "--json"], &printed, &[]).ok().json();
    assert_eq!(again["files"][0]["imported"]["outcome"], "already_there", "{again}");

    // oidc-agent holds a spent token now; the provider would end the session if it were used.
    world.run(&["sign-out", "work"]).ok();
    assert!(world.idp.tokens().iter().all(|token| token.kind != "refresh_token" || token.consumed), "revoked there");
}

#[test]
fn a_file_that_cannot_be_imported_is_refused_with_its_reason_and_the_others_are_tried() {
    let world = World::new(Lifetimes::default());
    let golden = repository().join("crates/import/tests/golden/oidc-agent-4.2.6-confidential");
    let golden = golden.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = std::fs::read_to_string(golden).unwrap();
    let gpg = write("gpg", "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n");
    let strange = write("strange", &text.replace("67108864", "4294967296"));
    let absent = folder.path().join("absent");
    for (file, code, exit, said) in [
        (gpg.as_str(), "import_invalid", 2, "GPG"),
        (&strange, "import_invalid", 2, "memory"),
        (absent.to_str().unwrap(), "import_invalid", 2, "cannot be read"),
        // Nobody listens where this account was made.
        (golden, "provider_unreachable", 7, "127.0.0.1"),
    ] {
        let refused = import(&world, file, "throw-away password", &["--json"]).failed_with(exit);
        assert_eq!(refused.error_code(), code, "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
        assert!(!refused.stderr.contains("made-up"), "nothing of the file is repeated: {refused:?}");
    }
    let several = ["import", "oidc-agent", &gpg, golden, "--password-stdin"];
    let both = cli::run_with(&world.home, &several, "throw-away password\n", &[]).failed_with(2);
    assert!(both.stderr.contains("2 of 2 files were not imported"), "{both:?}");
    assert_eq!(both.stdout.matches("is not imported: ").count(), 2, "each with its reason: {both:?}");
    assert_eq!(world.run(&["list", "--json"]).ok().json()["accounts"].as_array().unwrap().len(), 0);
    let providers = world.run(&["provider", "list", "--json"]).ok().json();
    assert_eq!(providers["providers"].as_array().unwrap().len(), 1, "none was added: {providers}");

    world.run(&["lock"]).ok();
    assert_eq!(import(&world, golden, "x", &["--json"]).failed_with(3).error_code(), "vault_locked");
}

#[test]
fn a_token_made_by_hand_is_kept_handed_out_and_told_about_honestly() {
    let mut world = World::new(Lifetimes::default());
    let (one, two, three) = ("ghp_marked-token-one", "marked-token-two", "marked, \"token\" three");
    let add = ["add", "static", "--label", "work", "--service", "github", "--username", "ann"];
    let add = [&add[..], &["--url", "https://github.example/settings/tokens", "--expires-at", "2099-12-31"]].concat();
    let kept = cli::run_with(&world.home, &add, &format!("{one}\n"), &[]).ok();
    assert!(kept.stdout.contains("work is kept, for github"), "{kept:?}");
    assert_eq!(world.run(&["token", "work"]).ok().stdout.trim(), one);
    let account = world.account("work");
    assert_eq!(
        (account.state, account.provider.as_str(), account.username.as_deref()),
        (State::Fresh, "github", Some("ann"))
    );
    assert_eq!(account.credentials[0].source, "static");
    assert_eq!(account.next.as_ref().map(|next| next.action.as_str()), Some("remind"));
    let shown = world.run(&["show", "work"]).ok().stdout;
    assert!(shown.contains("https://github.example/settings/tokens") && !shown.contains(one), "{shown}");

    let refused = world.run(&["refresh", "work", "--json"]).failed_with(1);
    assert_eq!(refused.error_code(), "not_renewable");
    assert!(refused.stderr.contains("https://github.example/settings/tokens"), "{refused:?}");

    // Not beside the vault: the list itself holds its tokens in the clear.
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("tokens.csv");
    let good =
        format!("label,service,token,note\nhome,gitlab,{two},\nci,npm,\"{}\",\"a, b\"\n", three.replace('"', "\"\""));
    std::fs::write(&list, format!("{good}broken,npm,,\n")).unwrap();
    let file = list.to_str().unwrap();
    let refused = world.run(&["import", "tokens", file, "--json"]).failed_with(2);
    assert_eq!(refused.error_code(), "import_invalid");
    assert!(refused.stderr.contains("ine 4: token is missing"), "{refused:?}");
    assert_eq!(world.run(&["list", "--json"]).ok().json()["accounts"].as_array().unwrap().len(), 1, "all or nothing");
    std::fs::write(&list, &good).unwrap();
    let imported = world.run(&["import", "tokens", file]).ok();
    assert!(imported.stdout.contains("2 of 2 tokens are new"), "{imported:?}");
    let again = cli::run_with(&world.home, &["import", "tokens", "-"], &good, &[]).ok();
    assert!(again.stdout.contains("0 of 2 tokens are new"), "{again:?}");
    assert_eq!(world.run(&["token", "ci"]).ok().stdout.trim(), three);
    let expired = ["add", "static", "--label", "old", "--service", "x", "--expires-at", "2020-01-01", "--json"];
    let kept = cli::run_with(&world.home, &expired, "marked-token-four\n", &[]).ok().json();
    assert_eq!(kept["account"]["state"], "expired", "{kept}");
    let refused = world.run(&["token", "old", "--json"]).failed_with(4);
    assert!(refused.stderr.contains("holdfast add static --service x --label old"), "{refused:?}");

    let marks = [one, two, three, "marked-token-four"].map(Mark::new);
    assert_eq!(findings(world.home.everything(), &marks), Vec::<String>::new(), "while the agent runs");
    world.kill_agent();
    world.restart_agent();
    assert_eq!(world.run(&["token", "home"]).ok().stdout.trim(), two, "kept over a power cut");
    let said = world.run(&["sign-out", "work"]).ok().stdout;
    assert!(said.contains("only you can end it. End it at https://github.example/settings/tokens"), "{said}");
    assert!(said.contains("2099-12-31"), "until when it works on: {said}");
    let gone = world.run(&["token", "work", "--json"]).failed_with(4);
    assert!(gone.error_code() == "signed_out" && gone.stderr.contains("holdfast add static"), "{gone:?}");
    world.run(&["sign-out", "--all"]).ok();
    assert_eq!(world.run(&["status", "--json"]).ok().json()["queued_revocations"], 0, "there is nobody to ask");
    assert_eq!(findings(world.home.everything(), &marks), Vec::<String>::new(), "after the sign-outs");
}
