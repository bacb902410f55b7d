//! Tokens that were entered by hand, from the first day to the last.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use holdfast_engine::{
    Caller, Comeback, EngineError, SignOutKind, TokenDemand, TokenEnd, TokenListFormat, WrittenSecret, WrittenToken,
};
use holdfast_model::{Action, Clock as _, NeedsSignIn, Origin, Source, State};
use support::World;

const DAY: i64 = 86_400;

fn caller() -> Caller {
    Caller::default()
}

fn written(label: &str, token: &str) -> WrittenToken {
    WrittenToken {
        label: label.into(),
        service: "GitHub".into(),
        token: WrittenSecret::new(token.into()),
        username: Some("ann".into()),
        url: Some("https://github.example/tokens".into()),
        ..WrittenToken::default()
    }
}

/// An instant so many days from now, as people write it.
fn in_days(world: &World, days: i64) -> Option<String> {
    let at = world.time.now().plus_millis(days * DAY * 1000);
    Some(format!("{}Z", seconds_to_text(at.as_millis() / 1000)))
}

/// The civil date of an instant (proleptic Gregorian), after Howard Hinnant's `civil_from_days`.
fn seconds_to_text(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(DAY) + 719_468, seconds.rem_euclid(DAY));
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[tokio::test]
async fn a_token_is_handed_out_until_its_end_and_its_person_is_reminded_a_week_before() {
    let world = World::new().await;
    let entered = WrittenToken { expires_at: in_days(&world, 30), ..written("work", "ghp_1") };
    world.engine.enter_token(entered, &caller()).await.expect("kept");
    let known = world.engine.account("work").unwrap();
    assert_eq!((known.state.clone(), known.provider_display_name.as_str()), (State::Fresh, "github"));
    let credential = known.credentials.access.as_ref().expect("a token");
    assert_eq!((credential.source, credential.generation), (Source::Static, 1));
    assert_eq!(credential.lifetime.absolute_expires_at.unwrap().origin, Origin::Declared);
    assert_eq!(known.plan.unwrap().action, Action::Remind);
    let mut changes = world.engine.changes();
    world.time.advance_ms(23 * DAY * 1000);
    changes.recv().await.expect("the faces are told");
    assert_eq!(world.engine.account("work").unwrap().state, State::Due);
    let handed = world.engine.token("work", &TokenDemand::default(), &caller()).await.expect("still good");
    assert_eq!(handed.token.expose_secret(), "ghp_1");
    let long = TokenDemand { min_valid_s: 8 * 86_400, ..TokenDemand::default() };
    let error = world.engine.token("work", &long, &caller()).await.expect_err("too short");
    assert!(matches!(error, EngineError::NeedsSignIn { reason: NeedsSignIn::NewTokenNeeded, .. }), "{error:?}");

    world.time.advance_ms(7 * DAY * 1000);
    let expired = |world: &World| world.engine.account("work").unwrap().state == State::Expired;
    world.until("it is expired", expired).await;
    let error = world.engine.token("work", &TokenDemand::default(), &caller()).await.expect_err("over");
    assert!(matches!(error, EngineError::NeedsSignIn { reason: NeedsSignIn::NewTokenNeeded, .. }), "{error:?}");
    assert_eq!(world.engine.status().await.accounts, Some((1, 1)), "somebody has to act");
    let rests = |world: &World| world.engine.account("work").unwrap().plan.unwrap().action == Action::Rest;
    world.until("nothing is planned any more", rests).await;
    assert_eq!(world.vault.stored_values(), ["ghp_1"], "no clock deletes a secret");
    assert_eq!(world.provider.refreshes(), 0, "and nobody was asked");
}

#[tokio::test]
async fn nothing_renews_a_token_and_the_person_is_told_where_a_new_one_is_made() {
    let world = World::new().await;
    world.engine.enter_token(written("work", "ghp_1"), &caller()).await.expect("kept");
    match world.engine.renew("work", &caller()).await.expect_err("cannot") {
        EngineError::NotRenewable { url, .. } => assert_eq!(url.as_deref(), Some("https://github.example/tokens")),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.engine.account("work").unwrap().state, State::Fresh, "asking changes nothing");
    assert!(world.engine.account("work").unwrap().trouble.is_none());
}

#[tokio::test]
async fn signing_out_deletes_here_sends_nothing_and_says_that_only_the_person_can_end_it() {
    let world = World::new().await;
    let entered = WrittenToken { expires_at: in_days(&world, 30), ..written("work", "ghp_1") };
    world.engine.enter_token(entered, &caller()).await.expect("kept");
    let report = world.engine.sign_out("work", SignOutKind::SignOut, &caller()).await.expect("signs out");
    assert_eq!(report.tokens.len(), 1);
    assert_eq!(report.tokens[0].end, TokenEnd::OnlyItsPerson);
    assert!(report.tokens[0].expires_at.is_some());
    assert!(world.vault.stored_values().is_empty() && world.vault.queued_revocations() == 0);
    assert!(world.provider.revoked().is_empty());
    let error = world.engine.token("work", &TokenDemand::default(), &caller()).await.expect_err("gone");
    assert!(matches!(error, EngineError::SignedOut { comeback: Comeback::Enter, .. }), "{error:?}");
    world.engine.enter_token(written("work", "ghp_2"), &caller()).await.expect("a new one under the same label");
    assert_eq!(world.engine.account("work").unwrap().state, State::Fresh);
}

#[tokio::test]
async fn a_new_token_takes_the_place_of_the_old_one_and_is_handed_out_at_once() {
    let mut world = World::new().await;
    let first = world.engine.enter_token(written("work", "ghp_1"), &caller()).await.expect("kept");
    world.engine.token("work", &TokenDemand::default(), &caller()).await.expect("in memory now");
    let second = world.engine.enter_token(written("work", "ghp_2"), &caller()).await.expect("kept");
    assert_eq!((second.account, second.replaced, second.unchanged), (first.account, true, false));
    let handed = world.engine.token("work", &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!((handed.token.expose_secret(), handed.credential.generation), ("ghp_2", 2));
    world.restart(None, None).await;
    let handed = world.engine.token("work", &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(handed.token.expose_secret(), "ghp_2");
    assert_eq!(world.vault.stored_values(), ["ghp_2"]);
}

#[tokio::test]
async fn the_end_of_a_jwt_is_read_from_it_and_the_earlier_of_two_ends_counts() {
    let world = World::new().await;
    // exp 1800000060, after the test's clock.
    let jwt = "e30.eyJleHAiOjE4MDAwMDAwNjB9.c2ln";
    let end = |label: &str| {
        let credential = world.engine.account(label).unwrap().credentials.access.clone().unwrap();
        credential.lifetime.absolute_expires_at.map(|end| (end.value.as_millis() / 1000, end.origin))
    };
    world.engine.enter_token(written("jwt", jwt), &caller()).await.expect("kept");
    assert_eq!(end("jwt"), Some((1_800_000_060, Origin::Jwt)));
    let declared = WrittenToken { expires_at: Some("2027-01-15T08:00:30Z".into()), ..written("both", jwt) };
    world.engine.enter_token(declared, &caller()).await.expect("kept");
    assert_eq!(end("both"), Some((1_800_000_030, Origin::Declared)));
    world.engine.enter_token(written("none", "ghp_1"), &caller()).await.expect("kept");
    assert_eq!(end("none"), None);
}

#[tokio::test]
async fn a_list_is_kept_whole_or_not_at_all_and_may_be_imported_again() {
    let world = World::new().await;
    world.sign_in("alice").await;
    let import = async |list: &str| world.engine.import_tokens(list, TokenListFormat::Csv, &caller()).await;
    let list = "label,service,token\none,s,t1\ntwo,s,t2\nthree,s,t3\n";
    for (broken, said) in [
        ("label,service,token\none,s,t1\ntwo,s,\n", "line 3: token is missing"),
        ("label,service,token\none,s,t1\nalice,s,t2\n", "line 3: another account has this label"),
        (
            "label,service,token\none,s,t1\n\u{430}lice,s,t2\n",
            "line 3: another account has a label that looks like this one",
        ),
    ] {
        let error = import(broken).await.expect_err("does not fit").to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(world.engine.accounts().unwrap().len(), 1);
    }
    world.vault.is_full_after(2);
    assert!(matches!(import(list).await, Err(EngineError::Vault(_))));
    assert_eq!(world.engine.accounts().unwrap().len(), 1, "what was written is taken back");
    assert_eq!(world.vault.stored_values().len(), 2, "alice's own");
    world.vault.is_full_after(1_000);
    assert!(import(list).await.expect("kept").iter().all(|token| !token.unchanged && !token.replaced));
    assert!(import(list).await.expect("known").iter().all(|token| token.unchanged));
    let changed = import("label,service,token\none,s,another\n").await.expect_err("a list replaces nothing");
    assert_eq!(changed.to_string(), "line 2: another account has this label");
    assert_eq!(world.engine.accounts().unwrap().len(), 4);
}

/// An import of three tokens that is being stored.
async fn in_the_middle_of_a_list(
    world: &World,
) -> tokio::task::JoinHandle<Result<Vec<holdfast_engine::EnteredToken>, EngineError>> {
    world.vault.sign_ins_wait_after(0);
    let engine = world.engine.clone();
    let importing =
        tokio::spawn(async move { engine.import_tokens(LIST_OF_THREE, TokenListFormat::Csv, &caller()).await });
    world.until("it is being stored", |world| world.vault.sign_ins_waiting() == 1).await;
    importing
}

const LIST_OF_THREE: &str = "label,service,token\none,s,t1\ntwo,s,t2\nthree,s,t3\n";

#[tokio::test]
async fn a_lock_in_the_middle_of_a_list_keeps_all_of_it_or_nothing() {
    let mut world = World::new().await;
    let importing = in_the_middle_of_a_list(&world).await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&caller()).await });
    world.until("the vault is locked for callers", |world| world.engine.accounts().is_err()).await;
    world.settle().await;
    world.vault.sign_ins_go_on();
    world.until("it is locked", |_| locking.is_finished()).await;
    locking.await.unwrap().expect("locks");
    assert_eq!(importing.await.expect("no panic").expect("it is in the vault").len(), 3);
    assert_eq!(world.vault.stored_values(), ["t1", "t2", "t3"]);
    world.restart(None, None).await;
    let again = world.engine.import_tokens(LIST_OF_THREE, TokenListFormat::Csv, &caller()).await.expect("known");
    assert!(again.iter().all(|token| token.unchanged), "{again:?}");
}

#[tokio::test]
async fn a_list_that_the_disk_does_not_take_at_once_is_not_taken_at_all() {
    let world = World::new().await;
    world.vault.is_full_after(2);
    let refused = world.engine.import_tokens(LIST_OF_THREE, TokenListFormat::Csv, &caller()).await;
    assert!(matches!(refused, Err(EngineError::Vault(_))), "{refused:?}");
    assert!(world.engine.accounts().unwrap().is_empty() && world.vault.stored_values().is_empty());
}

#[tokio::test]
async fn a_list_whose_caller_goes_away_is_kept_whole() {
    let world = World::new().await;
    let importing = in_the_middle_of_a_list(&world).await;
    importing.abort();
    assert!(importing.await.is_err_and(|end| end.is_cancelled()));
    world.vault.sign_ins_go_on();
    world.until("all are kept", |world| world.engine.accounts().unwrap().len() == 3).await;
    assert_eq!(world.vault.stored_values(), ["t1", "t2", "t3"]);
}
