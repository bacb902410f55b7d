use super::*;

const SERVICE: &str = r#"
name = "service"
display_name = "A service"
protocol = "oauth2"
issuer = "https://{host}"
scopes = ["read"]
variables.host = { description = "The host" }
variables.kind = { description = "Which", default = "one", choices = ["one", "two"] }
sources = []
[endpoints]
authorization = "https://{host}/{kind}/authorize"
token = "https://{host}/{kind}/token"
[userinfo]
subject = "/id"
"#;

fn service() -> Profile {
    toml::from_str(SERVICE).expect("a profile")
}

fn made(values: &[(&str, &str)]) -> Result<Provider, String> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let made = service().provider("mine".parse().expect("a name"), "client", &values);
    made.map_err(|error| error.to_string())
}

#[test]
fn variables_are_filled_in_wherever_they_stand() {
    let provider = made(&[("host", "id.example"), ("kind", "two")]).expect("a provider");
    assert_eq!(provider.issuer, "https://id.example");
    assert_eq!(provider.endpoints.token.as_deref(), Some("https://id.example/two/token"));
    assert_eq!((provider.client_id.as_str(), provider.display_name.as_str()), ("client", "A service"));
    assert_eq!(provider.scopes, ["read"], "openid is nothing to ask of a service without ID tokens");
    assert_eq!(provider.person.expect("pointers").subject, "/id");
    assert!(
        made(&[("host", "id.example")]).expect("a provider").endpoints.token.is_some_and(|at| at.contains("/one/"))
    );
}

#[test]
fn a_value_that_is_missing_unknown_or_none_of_the_choices_is_told_with_what_there_is() {
    let told = |values: &[(&str, &str)]| made(values).expect_err("refused");
    assert!(told(&[]).contains("needs a value for host: The host"));
    assert!(told(&[("host", "a.example"), ("hots", "b")]).contains("no variable \"hots\". It has: host, kind"));
    assert!(told(&[("host", "a.example"), ("kind", "three")]).contains("one of one, two"));
    for refused in [told(&[("host", "MARK MARK")]), told(&[("host", "a.example"), ("kind", "MARK")])] {
        assert!(!refused.contains("MARK"), "a value may be something else that was pasted: {refused}");
    }
}

#[test]
fn a_value_cannot_turn_an_address_into_another_one() {
    for host in
        ["", "a b", "a.example?x=", "a.example#", "user@b.example", "{kind}", "a.example\\b", "a\nb", "/a", "a/../b"]
    {
        assert!(made(&[("host", host)]).is_err(), "{host:?}");
    }
    assert!(made(&[("host", "id.example:8443/auth")]).is_ok(), "a host may have a port and a path");
    let pasted = made(&[("host", "https://id.example")]).expect_err("not the host alone");
    assert!(pasted.contains("without https://"), "{pasted}");
}

#[test]
fn a_piece_of_a_host_cannot_become_another_host() {
    let shop: Profile =
        toml::from_str(&SERVICE.replace("https://{host}\"", "https://{host}.shops.example\"")).expect("a profile");
    let with = |host: &str| {
        let values = [("host".to_owned(), host.to_owned())].into();
        shop.provider("mine".parse().expect("a name"), "client", &values)
    };
    assert_eq!(with("ours").expect("a provider").issuer, "https://ours.shops.example");
    for host in ["evil.example/", "evil.example/x", "evil.example:443", "..", "a..b", "evil.example?"] {
        assert!(with(host).is_err(), "{host}");
    }
}

#[test]
fn a_service_that_is_known_and_not_supported_yet_is_refused_with_the_reason() {
    let text = SERVICE.replace("scopes =", "unsupported = \"It wants a bell to be rung.\"\nscopes =");
    let service: Profile = toml::from_str(&text).expect("a profile");
    let values = [("host".to_owned(), "a.example".to_owned())].into();
    let refused =
        service.provider("mine".parse().expect("a name"), "client", &values).expect_err("refused").to_string();
    assert!(refused.contains("cannot be added yet") && refused.contains("bell"), "{refused}");
}

#[test]
fn a_service_that_sends_people_to_https_only_is_refused_with_the_reason() {
    let text = SERVICE.replace("scopes =", "redirect = \"https_only\"\nscopes =");
    let service: Profile = toml::from_str(&text).expect("a profile");
    let values = [("host".to_owned(), "a.example".to_owned())].into();
    let refused =
        service.provider("mine".parse().expect("a name"), "client", &values).expect_err("refused").to_string();
    assert!(refused.contains("cannot be added yet") && refused.contains("https address only"), "{refused}");
    let yahoo = crate::profiles::find("yahoo").expect("built in");
    assert!(yahoo.why_unsupported().is_some());
}

#[test]
fn a_key_that_is_not_known_is_an_error() {
    assert!(toml::from_str::<Profile>(&SERVICE.replace("scopes", "scope")).is_err());
}
