use holdfast_model::RevocationWay;

use super::*;

fn made(wanted: Wanted) -> Result<Provider, String> {
    let wanted = Wanted { client_id: "client".into(), ..wanted };
    wanted.provider("mine".parse().expect("a name"), ProviderOrigin::Added).map_err(|error| error.to_string())
}

fn of(profile: &str, issuer: &str) -> Wanted {
    Wanted { profile: Some(profile.into()), issuer: Some(issuer.into()), has_secret: true, ..Wanted::default() }
}

#[test]
fn a_profile_of_any_issuer_takes_the_one_that_is_given() {
    let provider = made(of("generic-oidc", "https://id.example/one")).expect("a provider");
    assert_eq!(provider.issuer, "https://id.example/one");
    assert_eq!(provider.profile.expect("it").as_str(), "generic-oidc");
    let wanted = of("generic-oauth2", "https://id.example/one");
    let variables = ["authorization_endpoint", "token_endpoint"];
    let variables = variables.map(|name| (name.to_owned(), format!("https://id.example/{name}"))).into();
    let provider = made(Wanted { variables, ..wanted }).expect("its addresses are said, and none is its own");
    assert_eq!(provider.endpoints.token.as_deref(), Some("https://id.example/token_endpoint"));
}

#[test]
fn an_issuer_by_hand_counts_for_more_than_the_profiles() {
    let variables = [("issuer".to_owned(), "https://id.example/one".to_owned())].into();
    let wanted = Wanted { variables, ..of("generic-oidc", "https://id.example/two") };
    assert_eq!(made(wanted).expect("a provider").issuer, "https://id.example/two");
    let variables = [("host", "id.example"), ("realm", "one")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let wanted = Wanted { variables: variables.into(), ..of("keycloak", "https://id.example/auth/realms/one") };
    assert_eq!(made(wanted).expect("a provider").issuer, "https://id.example/auth/realms/one");
}

#[test]
fn a_profile_with_addresses_of_its_own_is_refused_for_another_issuer() {
    let told = made(of("github-app", "https://forge.example")).expect_err("refused");
    assert!(told.contains("The profile github-app has its own addresses"), "{told}");
    assert!(told.contains("authorization, token, device_authorization, revocation, userinfo"), "{told}");
    let told = made(of("superoffice", "https://crm.example")).expect_err("refused");
    assert!(told.contains("metadata"), "{told}");
    made(of("github-app", "https://github.com/login/oauth")).expect("the issuer is its own too");
}

#[test]
fn whoever_says_each_address_of_another_issuer_gets_the_rest_of_the_profile() {
    let address = |name: &str| Some(format!("https://forge.example/{name}"));
    let endpoints = Endpoints {
        authorization: address("authorize"),
        token: address("token"),
        device_authorization: address("device"),
        revocation: address("applications"),
        userinfo: address("user"),
        ..Endpoints::default()
    };
    let provider = made(Wanted { endpoints: endpoints.clone(), ..of("github-app", "https://forge.example") });
    let provider = provider.expect("a provider");
    assert_eq!((provider.endpoints, provider.person.expect("pointers").subject), (endpoints, "/id".to_owned()));
    assert_eq!(provider.revoking.way, RevocationWay::GithubGrant, "so it is asked at the address that was said");
    assert_eq!(provider.revoking.user_url, None, "the page of the profile's own service is none of this one");
}

#[test]
fn a_profile_says_how_tokens_are_revoked_there_and_whoever_says_it_too_counts_for_more() {
    let wanted = || Wanted { profile: Some("github-oauth-app".into()), has_secret: true, ..Wanted::default() };
    let provider = made(wanted()).expect("a provider");
    assert_eq!(provider.revoking.way, RevocationWay::Github);
    assert_eq!(provider.endpoints.revocation.as_deref(), Some("https://api.github.com/applications"));
    assert_eq!(provider.revoking.user_url.as_deref(), Some("https://github.com/settings/applications"));
    assert!(provider.revoking.effect.is_some());
    let revoking = Some(Revoking { way: RevocationWay::None, ..Revoking::default() });
    let by_hand = made(Wanted { revoking: revoking.clone(), ..wanted() }).expect("a provider");
    assert_eq!(by_hand.revoking.way, RevocationWay::None);
    assert_eq!(by_hand.revoking.effect, None, "what the profile's call ends is not said of another");
    assert_eq!(by_hand.revoking.user_url.as_deref(), Some("https://github.com/settings/applications"));
    assert_eq!(by_hand.endpoints.revocation, None, "the address of the profile's call is none of another");
    let grant = Some(Revoking { way: RevocationWay::GithubGrant, ..Revoking::default() });
    let by_hand = made(Wanted { revoking: grant, ..wanted() }).expect("a provider");
    assert_eq!(by_hand.endpoints.revocation, provider.endpoints.revocation, "both of GitHub's calls have one address");
    let slack = Some(Revoking { way: RevocationWay::Slack, ..Revoking::default() });
    let told = made(Wanted { revoking: slack, ..wanted() }).expect_err("no address");
    assert!(told.contains("give the revocation endpoint too"), "{told}");
    let secretless = Wanted {
        client_authentication: Some(ClientAuthentication::None),
        revoking: Some(Revoking { way: RevocationWay::Github, ..Revoking::default() }),
        ..wanted()
    };
    let told = made(secretless).expect_err("no secret to ask with");
    assert!(told.contains("client_secret_basic or client_secret_post"), "{told}");
}

#[test]
fn a_client_that_is_to_be_registered_has_no_id_yet_and_no_secret() {
    let wanted = || Wanted {
        register: true,
        issuer: Some("https://id.example".into()),
        client_id: String::new(),
        ..Wanted::default()
    };
    let made = |wanted: Wanted| wanted.provider("mine".parse().expect("a name"), ProviderOrigin::Added);
    let provider = made(wanted()).expect("a provider");
    assert_eq!((provider.client_id.as_str(), provider.client_authentication), ("", ClientAuthentication::None));
    for odd in [Wanted { client_id: "client".into(), ..wanted() }, Wanted { has_secret: true, ..wanted() }] {
        let told = made(odd).expect_err("refused").to_string();
        assert!(told.contains("is to be registered"), "{told}");
    }
    let told = made(Wanted { register: false, ..wanted() }).expect_err("refused").to_string();
    assert!(told.starts_with("A client id is needed"), "{told}");
}
