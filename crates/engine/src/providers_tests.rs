use holdfast_model::{Endpoints, PersonPointers};

use super::*;

fn oidc() -> Provider {
    Provider::new("demo".parse().expect("a name"), "https://id.example/realm", "client")
}

fn told(provider: &Provider) -> String {
    check(provider).expect_err("refused").to_string()
}

fn at(userinfo: &str) -> Provider {
    let endpoints = Endpoints { userinfo: Some(userinfo.to_owned()), ..Endpoints::default() };
    Provider { endpoints, ..oidc() }
}

#[test]
fn an_address_is_quoted_as_its_origin_and_path_and_nothing_else_of_it() {
    for (address, quoted) in [
        ("http://MARK@id.example/user", "http://id.example/user"),
        ("http://me:MARK@id.example:81/user?MARK#MARK", "http://id.example:81/user"),
        ("https://id.example/user#MARK", "https://id.example/user"),
        ("https://me:MARK@id.example/user", "https://id.example/user"),
        ("MARK", ""),
        ("mark:MARK", ""),
        ("mark://MARK/MARK", ""),
        ("https://id.example:MARK/", ""),
    ] {
        let by_hand = told(&at(address));
        let issuer = told(&Provider { issuer: address.to_owned(), ..oidc() });
        let metadata = told(&Provider { metadata_url: Some(address.to_owned()), ..oidc() });
        for (told, what) in
            [(by_hand, "The userinfo endpoint "), (issuer, "The issuer "), (metadata, "The metadata URL ")]
        {
            assert!(!told.contains("MARK") && told.starts_with(what) && told.contains(quoted), "{told}");
        }
    }
    let redirect = told(&Provider { redirect_uri: Some("https://MARK@a.example/back?MARK".into()), ..oidc() });
    assert!(!redirect.contains("MARK") && redirect.contains("https://a.example/back"), "{redirect}");
    assert!(!told(&Provider { redirect_uri: Some("MARK".into()), ..oidc() }).contains("MARK"));
}

#[test]
fn a_redirect_uri_of_our_own_scheme_is_taken_and_one_of_another_program_is_told_what_fits() {
    let at = |uri: &str| Provider { redirect_uri: Some(uri.into()), ..oidc() };
    check(&at("app.holdfast.desktop:/callback/demo")).expect("ours");
    for uri in [
        "com.example.app:/callback",
        "app.holdfast.desktop://MARK/callback",
        "app.holdfast.desktop:/a?MARK",
        "edu.kit:/MARK",
    ] {
        let told = told(&at(uri));
        assert!(told.contains("http://127.0.0.1:49152/callback or app.holdfast.desktop:/callback/NAME"), "{told}");
        assert!(!told.contains("MARK"), "{told}");
    }
    let back = |uri: &str| Provider { post_logout_redirect_uri: Some(uri.into()), ..oidc() };
    check(&back("http://127.0.0.1/signed-out")).expect("on this computer");
    for uri in ["https://MARK@a.example/x", "app.holdfast.desktop:/signed-out"] {
        let told = told(&back(uri));
        assert!(told.starts_with("The post-logout redirect URI") && !told.contains("MARK"), "{told}");
    }
}

#[test]
fn what_is_no_json_pointer_is_named_and_not_repeated() {
    let person = |subject: &str, username: &str| {
        let person = PersonPointers { subject: subject.into(), username: Some(username.into()) };
        told(&Provider { person: Some(person), ..oidc() })
    };
    for (told, which) in [(person("MARK", "/login"), "subject"), (person("/id", "MARK"), "username")] {
        assert!(!told.contains("MARK") && told.contains(which) && told.contains("JSON pointer"), "{told}");
    }
}

#[test]
fn a_query_is_wrong_in_an_issuer_only_and_a_fragment_everywhere() {
    check(&at("https://id.example/user?tenant=1")).expect("an endpoint may have a query");
    let metadata_url = Some("https://id.example/metadata?tenant=1".to_owned());
    check(&Provider { metadata_url, ..oidc() }).expect("and so may where the metadata is");
    let issuer = told(&Provider { issuer: "https://id.example/?tenant=1".into(), ..oidc() });
    assert!(issuer.contains("an issuer has neither"), "{issuer}");
    let endpoint = told(&at("https://id.example/user#top"));
    assert!(endpoint.contains("userinfo endpoint") && endpoint.contains("a fragment"), "{endpoint}");
    assert!(!endpoint.contains("an issuer") && !endpoint.contains("query"), "{endpoint}");
}

#[test]
fn an_endpoint_that_is_http_under_an_https_issuer_is_refused_before_anything_is_kept() {
    let endpoint = told(&at("http://127.0.0.1:4000/user"));
    assert!(
        endpoint.contains("userinfo endpoint") && endpoint.contains("not https although the issuer is"),
        "{endpoint}"
    );
    check(&Provider { issuer: "http://127.0.0.1:4000".into(), ..at("http://127.0.0.1:4000/user") }).expect("both here");
}

#[test]
fn an_issuer_with_a_place_for_a_tenant_needs_its_metadatas_address_and_id_tokens() {
    let of = |issuer: &str| Provider { issuer: issuer.into(), ..oidc() };
    let entra = of("https://login.example/{tenantid}/v2.0");
    let metadata_url = Some("https://login.example/common/v2.0/.well-known/openid-configuration".to_owned());
    check(&Provider { metadata_url: metadata_url.clone(), ..entra.clone() })
        .expect("a template and where its metadata is");
    let at = |name: &str| Some(format!("https://login.example/{name}"));
    let endpoints = Endpoints { authorization: at("a"), token: at("t"), jwks: at("k"), ..Endpoints::default() };
    check(&Provider { endpoints, ..entra.clone() }).expect("or all that metadata would say");
    let bare = told(&entra);
    assert!(bare.contains("is no address") && bare.contains("metadata URL"), "{bare}");
    let oauth2 = told(&Provider { metadata_url: metadata_url.clone(), protocol: Protocol::Oauth2, ..entra });
    assert!(oauth2.contains("needs OpenID Connect"), "{oauth2}");
    for odd in ["https://login.example/{tenant}/v2.0", "https://login.example/x{tenantid}", "https://login.example/}"] {
        let odd = told(&Provider { metadata_url: metadata_url.clone(), ..of(odd) });
        assert!(odd.contains("braces"), "{odd}");
    }
}

#[test]
fn a_key_has_a_name_only_where_a_key_signs() {
    let with = |client_authentication, key_id: &str| Provider {
        client_authentication,
        client_key_id: Some(key_id.to_owned()),
        ..oidc()
    };
    for signs in [ClientAuthentication::PrivateKeyJwt, ClientAuthentication::ClientSecretJwt] {
        check(&with(signs, "key-1")).expect("a name");
        for odd in ["", " ", "a\nb", "\u{202e}", &"x".repeat(201)] {
            let odd = told(&with(signs, odd));
            assert!(odd.starts_with("The key id is"), "{odd}");
        }
    }
    for other in
        [ClientAuthentication::None, ClientAuthentication::ClientSecretPost, ClientAuthentication::TlsClientAuth]
    {
        let other = told(&with(other, "key-1"));
        assert!(other.contains("for a client that signs"), "{other}");
    }
}
