//! Services and their clients through the real window: by a profile, by registration, by a key, and by a code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;

use holdfast_system_tests::{
    browser::Browser,
    cli,
    idp::Lifetimes,
    memory,
    person::{self, Answer},
    scan::Mark,
    stage::Stage,
    wait,
    window::by,
    world::{self, SOON},
};
use serde_json::Value;

const ALICE: Answer<'static> = Answer::Allow { login: "alice", password: "alice-pw" };
const LIFETIMES: Lifetimes = Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 };

/// A window with a vault, at the list of services.
fn at_services() -> Stage {
    let stage = Stage::new(LIFETIMES, false);
    stage.make_vault();
    let page = stage.window().page();
    page.click(&by("first-run-add"));
    page.click(&by("provider-other"));
    page.wait_for(&by("add-service"));
    stage
}

/// Sends the form, and signs alice in at the page that it leads to.
fn sign_in(stage: &Stage) {
    let page = stage.window().page();
    page.click(&by("add-provider-submit"));
    page.wait_for(&by("sign-in-waiting"));
    Browser::start(&stage.home).sign_in(&stage.browser.next_address(), "alice", "alice-pw");
    page.wait_for(&by("sign-in-done"));
    page.click(&by("sign-in-finish"));
    page.wait_for(&format!("{}[data-state=fresh]", by("account-row")));
}

/// The only provider that was added in the window, as the command line tells it.
fn added(stage: &Stage) -> Value {
    let list = cli::run(&stage.home, &["provider", "list", "--json"]).ok().json();
    let mut added = list["providers"].as_array().unwrap().iter().filter(|provider| provider["origin"] == "added");
    let one = added.next().expect("a provider").clone();
    assert!(added.next().is_none(), "{list}");
    one
}

/// How the provider saw the client prove itself at the token endpoint.
fn proofs(stage: &Stage, client: &str) -> Vec<String> {
    let seen = stage.idp.log().into_iter();
    let at_token = seen.filter(|seen| seen.path == "/token" && seen.client.as_deref() == Some(client));
    at_token.filter_map(|seen| seen.auth).collect()
}

/// Pictures of what is shown in both themes, the top of it and where `at` is.
fn pictures(stage: &Stage, name: &str, at: &[&str]) {
    let (window, page) = (stage.window(), stage.window().page());
    for theme in ["dark", "light"] {
        wait::until_true("the theme to turn", SOON, || {
            let there = page.attribute(&by("theme"), "data-choice").is_ok_and(|choice| choice == theme);
            if !there {
                page.click(&by("theme"));
            }
            there
        });
        page.run("document.querySelector('.view').scrollTop = 0").unwrap();
        window.picture(&format!("{name}-{theme}"));
        for (number, css) in at.iter().enumerate() {
            let script =
                format!("document.querySelector({}).scrollIntoView({{block: 'center'}})", Value::from(by(css)));
            page.run(&script).unwrap();
            window.picture(&format!("{name}-{theme}-{}", number + 2));
        }
    }
}

#[test]
fn a_service_is_added_from_its_profile_and_tells_how_its_tokens_are_ended() {
    let stage = at_services();
    let page = stage.window().page();
    page.click(&by("service-github-oauth-app"));
    page.wait_for(&format!("{}[data-way=github]", by("revocation-way")));
    pictures(&stage, "30-profile", &["add-provider-submit"]);
    page.click(&by("back"));

    page.click(&by("service-other-oauth2"));
    let issuer = stage.idp.issuer();
    for (field, text) in [
        ("variable-issuer", issuer.to_owned()),
        ("variable-authorization_endpoint", format!("{issuer}/auth")),
        ("variable-token_endpoint", format!("{issuer}/token")),
        ("client-id", "native".to_owned()),
        ("display-name", "The forge".to_owned()),
        ("scopes", "openid profile".to_owned()),
    ] {
        page.fill(&by(field), &text);
    }
    page.click(&by("more-options"));
    page.fill(&by("userinfo"), &format!("{issuer}/me"));
    page.fill(&by("subject"), "/sub");
    page.choose(&by("revocation"), "slack");
    page.wait_for(&by("revocation-endpoint"));
    pictures(&stage, "31-by-hand", &["client-authentication", "revocation"]);
    page.choose(&by("revocation"), "none");
    sign_in(&stage);

    let provider = added(&stage);
    assert_eq!(
        (&provider["profile"], &provider["name"]),
        (&"generic-oauth2".into(), &"the-forge".into()),
        "{provider}"
    );
    assert_eq!(provider["revocation"]["way"], "none");
    page.click(&by("account-row"));
    page.click(&by("about-provider"));
    page.wait_for(&format!("{}[data-way=none]", by("revocation-way")));
    pictures(&stage, "32-about-service", &[]);
    let shown = cli::run(&stage.home, &["provider", "show", "the-forge"]).ok().stdout;
    assert!(shown.contains("none (only the person can end it)"), "{shown}");
    let report = cli::run(&stage.home, &["sign-out", "--all", "--json"]).ok().json();
    assert_eq!(report[0]["outcome"], "ended_here_only", "{report}");
    assert!(stage.idp.revocations().is_empty(), "there is no call for it");
}

#[test]
fn a_client_is_registered_from_the_window_and_its_account_renews_and_signs_out() {
    let stage = at_services();
    let page = stage.window().page();
    page.click(&by("service-other-oidc"));
    page.fill(&by("issuer"), stage.idp.issuer());
    page.tap(&by("client-registered"));
    page.wait_for(&by("initial-access-token"));
    page.fill(&by("display-name"), "Own client");
    page.click(&by("more-options"));
    page.choose(&by("client-authentication"), "client_secret_post");
    pictures(&stage, "33-register", &["client-authentication"]);
    sign_in(&stage);

    let provider = added(&stage);
    let client = provider["client_id"].as_str().unwrap();
    assert!(client != "native" && !client.is_empty() && provider["registered_at"].is_string(), "{provider}");
    assert_eq!(provider["client_authentication"], "client_secret_post");
    page.click(&by("account-row"));
    page.click(&by("refresh"));
    wait::until_true("a renewal", SOON, || proofs(&stage, client) == ["client_secret_post"; 2]);
    page.click(&by("about-provider"));
    page.wait_for(&by("registered-at"));
    assert!(page.text(&by("provider-page")).unwrap().contains(client));
    pictures(&stage, "34-about-registered", &[]);
    cli::run(&stage.home, &["sign-out", "--all"]).ok();
    assert!(stage.idp.tokens().iter().all(|token| token.kind != "refresh_token"), "the provider ended them");

    // The secret went from the provider into the agent, and into nothing else.
    let secrets = stage.idp.ever_issued().into_iter().filter(|issued| issued.kind == "client_secret");
    let marks: Vec<Mark> = secrets.map(|issued| Mark::new(&issued.value)).collect();
    assert!(!marks.is_empty(), "the provider gave a secret");
    no_window_holds(&stage, &marks);
}

#[test]
fn what_a_service_does_not_let_a_program_register_is_told_in_the_form_and_nothing_is_kept() {
    let stage = at_services();
    let page = stage.window().page();
    // It answers to nobody who registers.
    stage.idp.go_down("/reg");
    page.click(&by("service-other-oidc"));
    page.fill(&by("issuer"), stage.idp.issuer());
    page.tap(&by("client-registered"));
    page.click(&by("add-provider-submit"));
    page.wait_for(&by("add-provider-failed"));
    let said = page.text(&by("add-provider-failed")).unwrap();
    assert!(said.contains("A client called Holdfast may be left at"), "{said}");
    pictures(&stage, "35-not-registered", &["add-provider-failed"]);
    let list = cli::run(&stage.home, &["provider", "list", "--json"]).ok().json();
    assert_eq!(list["providers"].as_array().unwrap().len(), 1, "the administrator's alone: {list}");
}

#[test]
fn a_client_signs_with_a_key_out_of_a_file_that_no_window_opens() {
    let stage = at_services();
    let page = stage.window().page();
    let key = stage.idp.client_key("ES256");
    // Not where the desktop's dialog lists files: it reads the beginning of each, to know what kind it is.
    let file = stage.home.beside("state").join("key.pem");
    fs::write(&file, &key.pem).unwrap();
    fs::write(stage.home.beside("person").join("other.pem"), "no key").unwrap();
    page.click(&by("service-other-oidc"));
    page.fill(&by("issuer"), stage.idp.issuer());
    page.fill(&by("client-id"), "pkj");
    page.fill(&by("display-name"), "By a key");
    page.click(&by("more-options"));
    page.choose(&by("client-authentication"), "private_key_jwt");
    page.wait_for(&by("client-key"));
    pictures(&stage, "36-key", &["client-key"]);
    stage.choose_file("client-key-choose", "other.pem");
    page.click(&by("add-provider-submit"));
    page.wait_for(&by("add-provider-failed"));
    pictures(&stage, "37-key-file", &["add-provider-failed"]);
    page.fill(&by("client-key-path"), file.to_str().unwrap());
    sign_in(&stage);
    assert_eq!(proofs(&stage, "pkj"), ["private_key_jwt"]);
    let line = key.pem.lines().nth(1).expect("a key has a line between its marks");
    no_window_holds(&stage, &[Mark::new(line)]);
}

#[test]
fn a_key_that_is_pasted_signs_and_the_form_forgets_it() {
    let stage = at_services();
    let page = stage.window().page();
    let key = stage.idp.client_key("RS256");
    page.click(&by("service-other-oidc"));
    page.fill(&by("issuer"), stage.idp.issuer());
    page.fill(&by("client-id"), "pkj");
    page.click(&by("more-options"));
    page.choose(&by("client-authentication"), "private_key_jwt");
    page.fill(&by("client-key"), "-----BEGIN PRIVATE KEY-----\nnot a key\n-----END PRIVATE KEY-----");
    pictures(&stage, "38-pasted-key", &["client-key"]);
    page.click(&by("add-provider-submit"));
    page.wait_for(&by("add-provider-failed"));
    let left = page.run("return document.querySelector('[data-testid=client-key]').value").unwrap();
    assert_eq!(left, "", "the form keeps no key that was sent");
    page.fill(&by("client-key"), &key.pem);
    sign_in(&stage);
    assert_eq!(proofs(&stage, "pkj"), ["private_key_jwt"]);
}

#[test]
fn the_window_shows_a_code_and_a_picture_of_it_until_the_person_approved_it_elsewhere() {
    let stage = Stage::new(LIFETIMES, false);
    stage.make_vault();
    let page = stage.window().page();
    page.click(&by("first-run-add"));
    page.click(&by("provider-demo"));
    page.wait_for(&by("sign-in-waiting"));
    stage.browser.next_address();
    page.click(&by("sign-in-by-code"));
    page.wait_for(&by("sign-in-qr"));
    let code = page.text(&by("sign-in-user-code")).unwrap();
    assert!(code.len() >= 8, "{code}");
    assert!(page.text(&by("sign-in-page")).unwrap().contains("/device"));
    pictures(&stage, "39-code", &[]);
    let end = person::approve_device(&format!("{}/device", stage.idp.issuer()), &code, ALICE);
    assert!(end.text().contains("connected"), "{}", end.text());
    page.wait_for(&by("sign-in-done"));
    assert!(!page.has(&by("sign-in-user-code")), "a code that was used is shown no more");
    assert!(stage.browser.is_quiet(), "no browser opened for it");
    page.click(&by("sign-in-finish"));
    page.wait_for(&format!("{}[data-state=fresh]", by("account-row")));
    assert_eq!(world::accounts(&stage.home)[0]["username"], "alice");
}

/// Looks for the marks in the memory of the window and of its helpers.
fn no_window_holds(stage: &Stage, marks: &[Mark]) {
    let processes = stage.window().processes(&["holdfast-deskto", "WebKitWebProces", "WebKitNetworkPr"]);
    // The desktop hides its memory from everybody but root; the webview cannot.
    let open: Vec<_> = processes.iter().filter(|process| process.is_open_to_us()).collect();
    assert!(open.len() >= 2, "{open:?} of {processes:?}");
    for process in open {
        assert_eq!(memory::findings(process, marks), Vec::<String>::new());
    }
}
