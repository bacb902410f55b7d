use super::*;
use crate::{testing::T0, testing::at};

fn provider() -> Provider {
    Provider {
        display_name: "Demo".into(),
        scopes: vec!["openid".into()],
        refresh_absolute_s: Some(1000),
        refresh_sliding_s: Some(100),
        access_lifetime_s: Some(1200),
        ..Provider::new("demo".parse().expect("a valid name"), "https://demo.example", "native")
    }
}

fn grant(now: UnixMillis, refresh: Option<&str>) -> TokenGrant {
    TokenGrant {
        access_token: AccessToken::new(format!("at-{now}")),
        token_type: "Bearer".into(),
        expires_in_s: Some(60),
        access_exp: None,
        refresh_token: refresh.map(|value| RefreshToken::new(value.into())),
        refresh_expires_in_s: None,
        id_token: None,
        id_exp: None,
        scopes: None,
        received_at: now,
    }
}

fn made(previous: Option<&CredentialSet>, grant: &TokenGrant) -> (CredentialSet, Vec<bool>) {
    let account = AccountId::from_bytes([1; 16]);
    let made = credentials_of(account, &provider(), &["openid".into()], previous, grant);
    let values = made.iter().map(|(_, value)| value.is_some()).collect();
    (made.into_iter().map(|(credential, _)| credential).collect(), values)
}

#[test]
fn tokens_that_are_bound_to_a_key_stay_marked_so() {
    let bound = |refresh| TokenGrant { token_type: "DPoP".into(), ..grant(T0, refresh) };
    let (first, _) = made(None, &bound(Some("rt-0")));
    let (next, _) = made(Some(&first), &bound(None));
    for set in [first, next] {
        assert!(set.iter().all(|credential| credential.token_type == "DPoP"));
    }
}

#[test]
fn a_rotation_restarts_the_window_and_leaves_the_absolute_end_of_the_chain() {
    let (mut set, _) = made(None, &grant(T0, Some("rt-0")));
    for n in 1..=50 {
        let (next, values) = made(Some(&set), &grant(at(n), Some(&format!("rt-{n}"))));
        assert_eq!(values, [true, true]);
        let (old, new) = (set.refresh.expect("kept"), next.refresh.clone().expect("rotated"));
        assert_eq!((old.id, old.generation + 1), (new.id, new.generation));
        assert_ne!(old.fingerprint, new.fingerprint);
        assert_eq!(new.lifetime.absolute_expires_at, Some(Known::new(at(1000), Origin::Declared)));
        assert_eq!(new.lifetime.issued_at, T0);
        assert_eq!(new.lifetime.window_closes_at(), Some(at(n + 100)));
        set = next;
    }
}

#[test]
fn an_answer_without_a_refresh_token_keeps_the_old_one_and_counts_as_its_use() {
    let (set, _) = made(None, &grant(T0, Some("rt-0")));
    let (next, values) = made(Some(&set), &grant(at(30), None));
    assert_eq!(values, [true, false], "the stored value is not touched");
    let (old, new) = (set.refresh.expect("there"), next.refresh.expect("kept"));
    assert_eq!((old.fingerprint, old.id), (new.fingerprint, new.id));
    assert_eq!(new.lifetime.window_closes_at(), Some(at(130)));
}

#[test]
fn the_end_of_an_access_token_comes_from_the_best_source_that_there_is() {
    let origin = |change: fn(&mut TokenGrant, &mut Provider)| {
        let (mut grant, mut provider) = (grant(T0, None), provider());
        grant.access_exp = Some(at(90));
        change(&mut grant, &mut provider);
        let made = credentials_of(AccountId::from_bytes([1; 16]), &provider, &[], None, &grant);
        made[0].0.lifetime.absolute_expires_at.expect("always known")
    };
    assert_eq!(origin(|_, _| {}), Known::new(at(60), Origin::Reported));
    assert_eq!(origin(|grant, _| grant.expires_in_s = None), Known::new(at(90), Origin::Jwt));
    let silent = |grant: &mut TokenGrant, _: &mut Provider| (grant.expires_in_s, grant.access_exp) = (None, None);
    assert_eq!(origin(silent), Known::new(at(1200), Origin::Declared));
    let nothing = |grant: &mut TokenGrant, provider: &mut Provider| {
        (grant.expires_in_s, grant.access_exp, provider.access_lifetime_s) = (None, None, None);
    };
    assert_eq!(origin(nothing), Known::new(at(300), Origin::Assumed));
}

#[test]
fn a_token_that_nothing_renews_and_of_which_nobody_tells_an_end_serves_until_somebody_ends_it() {
    let lifetime = |protocol, refresh_token| {
        let mut grant = grant(T0, refresh_token);
        (grant.expires_in_s, grant.access_exp) = (None, None);
        let provider = Provider { protocol, access_lifetime_s: None, ..provider() };
        let made = credentials_of(AccountId::from_bytes([1; 16]), &provider, &[], None, &grant);
        made[0].0.lifetime.absolute_expires_at.map(|end| end.origin)
    };
    assert_eq!(lifetime(Protocol::Oauth2, None), None);
    assert_eq!(lifetime(Protocol::Oauth2, Some("rt-0")), Some(Origin::Assumed), "to renew it early costs nothing");
    assert_eq!(lifetime(Protocol::Oidc, None), Some(Origin::Assumed));
}

#[test]
fn a_lifetime_of_the_end_of_days_does_not_wrap_into_the_past() {
    let mut grant = grant(T0, None);
    grant.expires_in_s = Some(u64::MAX);
    let (set, _) = made(None, &grant);
    assert!(!set.access.expect("made").lifetime.is_over(at(1_000_000_000)));
}
